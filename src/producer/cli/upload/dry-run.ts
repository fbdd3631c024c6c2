import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { createHasher, type Hasher, type HashRequest, type HashResult } from '#shared/hashing/hasher.ts'
import { partCount, partRange } from '#shared/providers/cut.ts'
import type { Provider } from '#shared/providers/provider.ts'
import { createFileSources, parseSource } from '#shared/sources/file.ts'
import type { Source } from './sources.ts'

/** What would be sent, as far as it is known without the provider. MD5s in base64, sizes in bytes. */
export interface DryRun {
  readonly file: string
  readonly source: string
  readonly provider: string
  /** As it would be asked for. */
  readonly destination: Readonly<Record<string, unknown>>
  /** Absent when nothing has to be known of the bytes before they are sent. */
  readonly fileMd5?: string
  readonly fileSizeInBytes: number
  readonly signatureMd5?: string
  readonly signatureSizeInBytes?: number
  readonly parts?: Cut
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
  /** Empty where none was named. */
  readonly account: string
  readonly signal: AbortSignal
}

export interface DryRunner extends AsyncDisposable {
  /** Reads the file at most once. Throws `FatalError` for one that can not be uploaded. */
  readonly plan: (source: Source) => Promise<DryRun>
}

/** Works out what uploads would send, without service, account or network. */
export const createDryRunner = async ({ requestOf, ...deps }: Deps): Promise<DryRunner> => {
  await using resources = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-'))
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  const hasher = resources.use(createHasher({ threads: 1 }))
  const owned = resources.move()
  return {
    plan: async (source) => {
      const path = join(folder, 'signature')
      const planned = await planSource({ ...deps, hasher, path }, requestOf(source), source)
      // They grow to 1.8 % of their file, so one at a time.
      await rm(path, { force: true })
      return planned
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Tools extends Omit<Deps, 'requestOf'> {
  readonly hasher: Hasher
  /** Where the signature goes. */
  readonly path: string
}

const planSource = async (tools: Tools, request: unknown, source: Source): Promise<DryRun> => {
  const { provider, account } = tools
  const { path } = parseSource(source.url)
  // Whoever runs this may read what the file system lets them.
  const expected = await createFileSources(['/']).fingerprint(path)
  const { partSize, signaturePartSize } = provider.plan(request, expected.size)
  // Refuses a name that the provider takes from nobody.
  provider.destination(account, request, source.name)
  return {
    file: source.file,
    source: source.url,
    provider: provider.name,
    destination: asked.parse(request).destination,
    fileSizeInBytes: expected.size,
    ...(partSize !== undefined &&
      (await hashedFields(tools, { path, expected, partSize, signaturePartSize }))),
  }
}

const asked = z.object({ destination: z.record(z.string(), z.unknown()) })

interface Hashing extends Omit<HashRequest, 'signature'> {
  readonly signaturePartSize: number | undefined
}

type HashedFields = Omit<DryRun, 'file' | 'source' | 'provider' | 'destination'>

const hashedFields = async (
  { hasher, path: signaturePath, signal }: Tools,
  { path, expected, partSize, signaturePartSize }: Hashing,
): Promise<HashedFields> => {
  const signature = signaturePartSize && { partSize: signaturePartSize, path: signaturePath }
  const request = { path, expected, partSize, ...(signature && { signature }) }
  const hashes = await hasher.hash(request, signal)
  return {
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
