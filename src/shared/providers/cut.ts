import type { Blob } from './provider.ts'

/** How many parts a blob has: at least one, since an empty blob has one empty part. */
export const partCount = ({ size, partSize }: Pick<Blob, 'size' | 'partSize'>): number =>
  Math.max(1, Math.ceil(size / Math.max(1, partSize)))

/** Where part `number` (from 1) lies, in bytes. */
export const partRange = (
  { size, partSize }: Pick<Blob, 'size' | 'partSize'>,
  number: number,
): { readonly offset: number; readonly length: number } => {
  const offset = (number - 1) * partSize
  return { offset, length: Math.min(partSize, size - offset) }
}
