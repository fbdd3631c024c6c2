import { readdir, rm, stat } from 'node:fs/promises'
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
export function createContents(deps: Deps) {
  const { sources } = deps
  return {
    /** The source as it is now. Throws `FatalError` for one that can not be uploaded at all. */
    fingerprint: async (record: UploadRecord): Promise<Fingerprint> =>
      sources.fingerprint(parseSource(record.source).path),

    /** One pass over the source: all MD5s, and the signature if the plan wants it. */
    hash: async (record: UploadRecord, signal: AbortSignal): Promise<Hashed> => hash(deps, record, signal),

    /** Bytes of one part. They come from the very source that was hashed, or the stream fails. */
    slice: async (record: UploadRecord, blob: Blob, range: Range, signal: AbortSignal): Promise<Slice> => {
      if (blob.content === 'signature') return signatureSlice(deps, record, range, signal)
      return sources.slice(parseSource(record.source).path, fingerprintOf(record), range)
    },

    /** Drops what this machine kept for an upload that ended. What can not be removed is left to the sweep. */
    forget: async (record: UploadRecord): Promise<void> => {
      await rm(signatureFolder(deps, record), { recursive: true, force: true }).catch(() => undefined)
    },

    /** Drops what is kept for uploads that ended elsewhere, or while nobody was there to see it. */
    sweep: async (isWanted: (upload: string, epoch: number) => Promise<boolean>): Promise<void> => {
      for (const name of await namesIn(deps.folder)) {
        const [, upload = '', epoch = ''] = /^(upl_\w+)-(\d+)$/.exec(name) ?? []
        if (upload === '' || (await isWanted(upload, Number(epoch)))) continue
        await rm(join(deps.folder, name), { recursive: true, force: true })
      }
    },
  }
}

export type Contents = ReturnType<typeof createContents>

interface Hashed {
  readonly hashes: Hashes
  /** MD5s of the parts, lower-case hex in part order. */
  readonly digests: { readonly source: readonly string[]; readonly signature?: readonly string[] }
}

const signatureFolder = ({ folder }: Deps, { id, epoch }: UploadRecord): string =>
  join(folder, `${id}-${epoch}`)

/** Named after the source it was made of: one that was replaced meanwhile has another signature. */
const signaturePath = (deps: Deps, record: UploadRecord): string => {
  const { size, mtimeNs, inode } = fingerprintOf(record)
  return join(signatureFolder(deps, record), `${size}-${mtimeNs}-${inode}.sig`)
}

async function hash(deps: Deps, record: UploadRecord, signal: AbortSignal): Promise<Hashed> {
  const { partSize = Math.max(1, record.size), signaturePartSize } = record.plan
  const source = { path: parseSource(record.source).path, expected: fingerprintOf(record), partSize }
  if (signaturePartSize === undefined) {
    const { md5, parts } = await deps.hasher.hash(source, signal)
    return { hashes: { md5 }, digests: { source: parts } }
  }
  const wanted = { partSize: signaturePartSize, path: signaturePath(deps, record) }
  const { md5, parts, signature } = await deps.hasher.hash({ ...source, signature: wanted }, signal)
  if (signature === undefined) throw new Error('The hashing pass made no signature')
  return {
    hashes: { md5, signature: { md5: signature.md5, size: signature.size } },
    digests: { source: parts, signature: signature.parts },
  }
}

/** A machine that did not hash the file, or lost what it wrote, makes the stretch it needs anew. */
async function signatureSlice(
  deps: Deps,
  record: UploadRecord,
  range: Range,
  signal: AbortSignal,
): Promise<Slice> {
  const whole = signaturePath(deps, record)
  if ((await sizeOf(whole)) === record.hashes?.signature?.size) return sliceOwnFile(whole, range)
  const piece = `${whole}.from-${range.offset}`
  if ((await sizeOf(piece)) !== range.length) {
    const { path } = parseSource(record.source)
    await deps.hasher.signatureSlice({ path, expected: fingerprintOf(record), range, to: piece }, signal)
  }
  return sliceOwnFile(piece, { offset: 0, length: range.length })
}

function fingerprintOf(record: UploadRecord): Fingerprint {
  if (record.fingerprint === undefined) throw new Error(`${record.id} was not fingerprinted yet`)
  return record.fingerprint
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch {
    // Nothing was ever hashed here.
    return []
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch {
    return undefined
  }
}
