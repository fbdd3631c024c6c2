import { z } from 'zod'
import { partCount, partRange } from '#shared/providers/cut.ts'
import type { Blob } from '#shared/providers/provider.ts'
import type { SavedReceipt } from '#shared/records/parts.ts'
import { timeOrNull } from './time.ts'

/** A part as the API shows it. */
export const partItem = z
  .object({
    blob: z
      .string()
      .meta({ description: 'Which byte sequence it belongs to, such as `file` or `signature`' }),
    number: z.int().meta({ description: 'From 1' }),
    offset: z.int(),
    bytes: z.int(),
    md5: z.string().nullable().meta({ description: 'Lower-case hex' }),
    etag: z.string().nullable().meta({ description: "The provider's receipt; null until it is there" }),
    receivedAt: z.string().nullable(),
  })
  .meta({ id: 'Part' })

/** All parts of a blob, with receipts as far as there are any. `digests` by `<content>/<number>`. */
export const showParts = (
  blob: Blob,
  receipts: ReadonlyMap<number, SavedReceipt>,
  digests: Readonly<Record<string, string>>,
): z.infer<typeof partItem>[] =>
  Array.from({ length: partCount(blob) }, (_, index) => {
    const number = index + 1
    const { offset, length } = partRange(blob, number)
    const receipt = receipts.get(number)
    return {
      blob: blob.name,
      number,
      offset,
      bytes: length,
      md5: receipt?.md5 ?? digests[`${blob.content}/${number}`] ?? null,
      etag: receipt?.etag ?? null,
      receivedAt: timeOrNull(receipt?.at),
    }
  })
