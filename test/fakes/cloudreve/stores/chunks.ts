import type { Opening } from './store.ts'

/** How many chunks the file is sent in: one also when it is empty, or when `chunkSize` is 0. */
export function chunkCount({ size, chunkSize }: Opening): number {
  return chunkSize === 0 ? 1 : Math.max(1, Math.ceil(size / chunkSize))
}

/** Where a chunk begins, and its exact length; undefined for one that there is not. In bytes. */
export function chunkAt(opening: Opening, index: number): { offset: number; length: number } | undefined {
  const { size, chunkSize } = opening
  if (!(Number.isInteger(index) && index >= 0 && index < chunkCount(opening))) return undefined
  const offset = index * chunkSize
  return { offset, length: chunkSize === 0 ? size : Math.min(chunkSize, size - offset) }
}
