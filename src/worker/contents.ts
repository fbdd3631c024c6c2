import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hasher } from '#shared/hashing/hasher.ts'
import type { Blob, Hashes, Slice } from '#shared/providers/provider.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { parseSource, sliceOwnFile } from '#shared/sources/file.ts'
import type { FileSources } from '#shared/sources/file.ts'
import type { Fingerprint } from '#shared/sources/fingerprint.ts'

interface Range {
  readonly offset: number
  readonly length: number
}

interface Deps {
  readonly sources: FileSources
  readonly hasher: Hasher
  /** Where this machine keeps signatures until their upload ends. */
  readonly folder: string
}

/** The bytes of an upload: its source, and the signature made of it. */
export function createContents({ sources, hasher, folder }: Deps) {
  const signaturePath = (record: UploadRecord): string => join(folder, `${record.id}-${record.epoch}.sig`)

  /** A machine that did not hash the file, or lost what it wrote, makes the stretch it needs anew. */
  const signatureSlice = async (record: UploadRecord, range: Range, signal: AbortSignal): Promise<Slice> => {
    const whole = signaturePath(record)
    if ((await sizeOf(whole)) === record.hashes?.signature?.size) return sliceOwnFile(whole, range)
    const piece = `${whole}.${range.offset}`
    if ((await sizeOf(piece)) !== range.length) {
      const { path } = parseSource(record.source)
      await hasher.signatureSlice({ path, expected: fingerprintOf(record), range, to: piece }, signal)
    }
    return sliceOwnFile(piece, { offset: 0, length: range.length })
  }

  return {
    /** The source as it is now. Throws `FatalError` for one that can not be uploaded at all. */
    fingerprint: async (record: UploadRecord): Promise<Fingerprint> =>
      sources.fingerprint(parseSource(record.source).path),

    /** One pass over the source: all MD5s, and the signature if the plan wants it. */
    hash: async (
      record: UploadRecord,
      signal: AbortSignal,
    ): Promise<{ hashes: Hashes; digests: { source: readonly string[]; signature?: readonly string[] } }> => {
      const { partSize, signaturePartSize } = record.plan
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const { md5, parts, signature } = await hasher.hash(
        {
          path: parseSource(record.source).path,
          expected: fingerprintOf(record),
          partSize,
          ...(signaturePartSize !== undefined && {
            signature: { partSize: signaturePartSize, path: signaturePath(record) },
          }),
        },
        signal,
      )
      if (signature === undefined) return { hashes: { md5 }, digests: { source: parts } }
      return {
        hashes: { md5, signature: { md5: signature.md5, size: signature.size } },
        digests: { source: parts, signature: signature.parts },
      }
    },

    /** Bytes of one part. They come from the very source that was hashed, or the stream fails. */
    slice: async (record: UploadRecord, blob: Blob, range: Range, signal: AbortSignal): Promise<Slice> => {
      if (blob.content === 'signature') return signatureSlice(record, range, signal)
      return sources.slice(parseSource(record.source).path, fingerprintOf(record), range)
    },

    /** Drops what this machine kept for an upload that ended. */
    forget: async (record: UploadRecord): Promise<void> => {
      await rm(signaturePath(record), { force: true })
    },
  }
}

export type Contents = ReturnType<typeof createContents>

function fingerprintOf(record: UploadRecord): Fingerprint {
  if (record.fingerprint === undefined) throw new Error(`${record.id} was not fingerprinted yet`)
  return record.fingerprint
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch {
    return undefined
  }
}
