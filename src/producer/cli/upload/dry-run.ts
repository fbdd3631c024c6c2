import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHasher, type Hasher, type HashResult } from '#shared/hashing/hasher.ts'
import { partCount, partRange } from '#shared/providers/cut.ts'
import type { Provider } from '#shared/providers/provider.ts'
import { createFileSources, parseSource } from '#shared/sources/file.ts'
import type { Source } from './sources.ts'

/** What would be sent. MD5s in base64, sizes in bytes. */
export interface DryRun {
  readonly file: string
  readonly source: string
  readonly provider: string
  readonly fileMd5: string
  readonly fileSizeInBytes: number
  readonly signatureMd5?: string
  readonly signatureSizeInBytes?: number
  readonly parts: Cut
  readonly signatureParts?: Cut
}

export interface Cut {
  readonly count: number
  readonly size: number
  readonly lastSize: number
}

interface Deps {
  readonly provider: Provider
  /** The provider's part of the request for that source. */
  readonly requestOf: (source: Source) => unknown
  readonly signal: AbortSignal
}

export interface DryRunner extends AsyncDisposable {
  /** Reads the file once. Throws `FatalError` for one that can not be uploaded. */
  readonly plan: (source: Source) => Promise<DryRun>
}

/** Works out what uploads would send, without service, account or network. */
export const createDryRunner = async ({ provider, requestOf, signal }: Deps): Promise<DryRunner> => {
  await using resources = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-'))
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  const hasher = resources.use(createHasher({ threads: 1 }))
  const owned = resources.move()
  return {
    plan: async (source) => {
      const path = join(folder, 'signature')
      const hashed = await hashSource({ provider, hasher, path, signal }, requestOf(source), source)
      // They grow to 1.8 % of their file, so one at a time.
      await rm(path, { force: true })
      return hashed
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Tools {
  readonly provider: Provider
  readonly hasher: Hasher
  /** Where the signature goes. */
  readonly path: string
  readonly signal: AbortSignal
}

const hashSource = async (tools: Tools, request: unknown, { file, url }: Source): Promise<DryRun> => {
  const { provider, hasher, signal } = tools
  const { path } = parseSource(url)
  // Whoever runs this may read what the file system lets them.
  const expected = await createFileSources(['/']).fingerprint(path)
  const { partSize, signaturePartSize } = provider.plan(request, expected.size)
  const hashes = await hasher.hash(
    {
      path,
      expected,
      partSize,
      ...(signaturePartSize !== undefined && {
        signature: { partSize: signaturePartSize, path: tools.path },
      }),
    },
    signal,
  )
  return {
    file,
    source: url,
    provider: provider.name,
    fileMd5: base64Of(hashes.md5),
    fileSizeInBytes: hashes.size,
    parts: cutOf(hashes.size, partSize),
    ...signatureFields(hashes, signaturePartSize),
  }
}

const signatureFields = (
  { signature }: HashResult,
  partSize = 0,
): Pick<DryRun, 'signatureMd5' | 'signatureSizeInBytes' | 'signatureParts'> =>
  signature === undefined
    ? {}
    : {
        signatureMd5: base64Of(signature.md5),
        signatureSizeInBytes: signature.size,
        signatureParts: cutOf(signature.size, partSize),
      }

const cutOf = (size: number, partSize: number): Cut => {
  const count = partCount({ size, partSize })
  return { count, size: Math.min(size, partSize), lastSize: partRange({ size, partSize }, count).length }
}

const base64Of = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')
