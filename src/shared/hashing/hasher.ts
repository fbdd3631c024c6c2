import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { resolveRoots } from '#shared/sources/file.ts'
import type { Fingerprint } from '#shared/sources/fingerprint.ts'
import { ownFileError } from '#shared/sources/own-file.ts'
import type { Range } from '#shared/sources/slice.ts'
import type { Pass, PassResult } from './pass.ts'
import { createPool } from './pool.ts'
import { signatureOrigin, signatureSize } from './signature.ts'

/** Sizes and offsets in bytes. */
export interface HashRequest {
  readonly path: string
  /** The file as it was accepted. */
  readonly expected: Fingerprint
  readonly partSize: number
  /** When wanted: how to cut the librsync signature, and the file to write it to. */
  readonly signature?: { readonly partSize: number; readonly path: string }
}

/** MD5s in lower-case hex, of parts in their order. An empty file has one empty part. */
export interface HashResult {
  readonly size: number
  readonly md5: string
  readonly parts: readonly string[]
  readonly signature?: { readonly md5: string; readonly size: number; readonly parts: readonly string[] }
}

export interface SignatureSliceRequest {
  readonly path: string
  readonly expected: Fingerprint
  /** Which bytes of the signature. */
  readonly range: Range
  /** The file to write them to. */
  readonly to: string
}

/**
 * Hashes sources on other threads, in bounded memory. Both calls fail with `StartOver('source-changed')` when
 * the source is not the expected one or changes meanwhile, with what `openSource` throws, and with the
 * signal's reason at once when it is aborted. Files appear whole or not at all, and replace what was there.
 */
export interface Hasher extends AsyncDisposable {
  /** One pass over the whole source, which is read once. */
  readonly hash: (request: HashRequest, signal: AbortSignal) => Promise<HashResult>
  /** Makes a stretch of the signature anew, reading only what it stands for. Answers its MD5. */
  readonly signatureSlice: (request: SignatureSliceRequest, signal: AbortSignal) => Promise<string>
}

export interface HasherOptions {
  /**
   * Passes at once. Each keeps up to three threads busy, hence half the cores unless set: what is left is for
   * sending.
   */
  readonly threads?: number
  /** Refuse sources outside of these folders. Without it, the caller has made sure. */
  readonly roots?: readonly string[]
}

export const createHasher = (options: HasherOptions = {}): Hasher => {
  const roots = options.roots && resolveRoots(options.roots)
  const size = options.threads ?? Math.max(1, Math.floor(availableParallelism() / 2))
  const script = new URL('./worker.ts', import.meta.url)
  const { run, [Symbol.asyncDispose]: dispose } = createPool<Pass, PassResult>({ script, size })

  const hash = async (request: HashRequest, signal: AbortSignal): Promise<HashResult> => {
    const { signature } = request
    if (signature === undefined) return hashResult(request, await run(hashPass(request, roots), signal))
    return writeWhole(signature.path, async (file) =>
      hashResult(request, await run(hashPass(request, roots, { ...signature, file }), signal)),
    )
  }
  const signatureSlice = (request: SignatureSliceRequest, signal: AbortSignal): Promise<string> =>
    writeWhole(request.to, async (file) => {
      const { signature } = await run(slicePass(request, roots, file), signal)
      return signature?.md5 ?? ''
    })
  return { hash, signatureSlice, [Symbol.asyncDispose]: dispose }
}

const hashPass = (
  { path, expected, partSize }: HashRequest,
  roots: Pass['roots'],
  signature?: { readonly file: string; readonly partSize: number },
): Pass => ({
  path,
  roots,
  expected,
  from: 0,
  to: expected.size,
  md5: true,
  // One part is the whole: nothing to hash twice.
  parts: positive(partSize) < expected.size ? { kind: 'parts', partSize } : undefined,
  signature: signature && {
    kind: 'signature',
    file: signature.file,
    header: true,
    skip: 0,
    length: signatureSize(expected.size),
    partSize: positive(signature.partSize),
  },
})

const hashResult = ({ expected }: HashRequest, { md5, parts, signature }: PassResult): HashResult => ({
  size: expected.size,
  md5,
  parts: parts ?? [md5],
  ...(signature && { signature: { ...signature, size: signatureSize(expected.size) } }),
})

const slicePass = (
  { path, expected, range }: SignatureSliceRequest,
  roots: Pass['roots'],
  file: string,
): Pass => {
  const { offset, length } = range
  if (offset < 0 || length < 0 || offset + length > signatureSize(expected.size)) {
    throw new RangeError(`The signature of ${path} has no bytes ${offset} to ${offset + length}`)
  }
  const { from, to, header, skip } = signatureOrigin(expected.size, range)
  const signature = { kind: 'signature', file, header, skip, length, partSize: Infinity } as const
  return { path, roots, expected, from, to, md5: false, parts: undefined, signature }
}

const positive = (partSize: number): number => {
  if (Number.isSafeInteger(partSize) && partSize > 0) return partSize
  throw new RangeError(`A part can not have ${partSize} bytes`)
}

/**
 * Lets `write` fill a file beside `path` that takes its place once it is whole. The thread gets a file that
 * exists: so one that is being stopped can not make it again after it was removed here.
 */
const writeWhole = async <T>(path: string, write: (file: string) => Promise<T>): Promise<T> => {
  const file = `${path}.${randomUUID()}.tmp`
  const onFile = <R>(call: Promise<R>): Promise<R> =>
    call.catch((error: unknown) => {
      throw ownFileError(path, error)
    })
  await onFile(makeEmpty(file))
  try {
    const result = await write(file)
    await onFile(rename(file, path))
    return result
  } catch (error) {
    // Where nothing can be written, it may be that nothing can be removed: the sweep comes again.
    await rm(file, { force: true }).catch(() => undefined)
    throw error
  }
}

const makeEmpty = async (file: string): Promise<void> => {
  await mkdir(dirname(file), { recursive: true })
  await (await open(file, 'wx', 0o600)).close()
}
