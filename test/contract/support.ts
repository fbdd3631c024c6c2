import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { AccountParked, NeedsPerson } from '#shared/errors.ts'
import { partCount, partRange } from '#shared/providers/cut.ts'
import { signatureSize } from '#shared/hashing/signature.ts'
import type {
  AccountAccess,
  Blob,
  Confirmation,
  Governor,
  Hashes,
  LoginStore,
  Part,
  Provider,
  Receipt,
  Session,
  Slice,
  UploadView,
  Version,
} from '#shared/providers/provider.ts'

export const never: AbortSignal = new AbortController().signal

export interface MemoryLogin extends LoginStore {
  /** What is stored now, as any other process would load it. */
  readonly stored: () => string | undefined
  /** Password logins taken from the budget so far. */
  readonly spent: () => number
}

/** A login store in memory: one at a time in `exclusive`, and a budget that throws when it is used up. */
export function memoryLogin({ budget = 10, saved }: { budget?: number; saved?: string } = {}): MemoryLogin {
  let login = saved
  let spent = 0
  let last: Promise<unknown> = Promise.resolve()
  return {
    stored: () => login,
    spent: () => spent,
    load: async () => login,
    save: async (text) => void (login = text),
    exclusive: async (signal, work) => {
      const before = last
      const { promise, resolve } = Promise.withResolvers<void>()
      last = promise
      await before
      signal.throwIfAborted()
      try {
        return await work()
      } finally {
        resolve()
      }
    },
    spend: async () => {
      if (spent >= budget) throw new NeedsPerson('needs-login', 'the login budget is spent')
      spent += 1
    },
  }
}

export interface MemoryGovernor extends Governor {
  readonly parkedUntil: () => number
  /** As if the time for which the account is parked was over. */
  readonly unpark: () => void
  /** What calls have thrown, which is all that a governor sees of the other side's trouble. */
  readonly seen: readonly unknown[]
}

/** A governor in memory: one call at a time, and nothing at all while the account is parked. */
export function memoryGovernor(): MemoryGovernor {
  let parkedUntil = 0
  const seen: unknown[] = []
  let last: Promise<unknown> = Promise.resolve()
  const call: Governor['call'] = async (signal, run) => {
    const before = last
    const { promise, resolve } = Promise.withResolvers<void>()
    last = promise
    await before
    try {
      signal.throwIfAborted()
      if (Date.now() < parkedUntil) throw new AccountParked('parked', parkedUntil - Date.now())
      return await run(signal)
    } catch (error) {
      seen.push(error)
      if (error instanceof AccountParked) parkedUntil = Math.max(parkedUntil, Date.now() + error.delayMs)
      throw error
    } finally {
      resolve()
    }
  }
  return { call, seen, parkedUntil: () => parkedUntil, unpark: () => void (parkedUntil = 0) }
}

export interface Source {
  readonly bytes: Buffer
  readonly hashes: Required<Hashes>
  /** Stands for the rsync signature: no provider looks inside. */
  readonly signature: Buffer
}

export function sourceOf(bytes: Buffer): Source {
  const signature = randomBytes(signatureSize(bytes.length), md5(bytes))
  const hashes = { md5: md5(bytes), signature: { md5: md5(signature), size: signature.length } }
  return { bytes, signature, hashes }
}

/** Bytes that look random and are the same in every run. */
export function randomBytes(size: number, seed: string): Buffer {
  const chunks: Buffer[] = []
  for (let made = 0; made < size; made += 32) {
    chunks.push(createHash('sha256').update(`${seed}/${made}`).digest())
  }
  return Buffer.concat(chunks).subarray(0, size)
}

export const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

const bytesOf = (source: Source, blob: Blob): Buffer =>
  blob.content === 'source' ? source.bytes : source.signature

export function partOf(source: Source, blob: Blob, number: number): { part: Part; slice: Slice } {
  const { offset, length } = partRange(blob, number)
  const bytes = bytesOf(source, blob).subarray(offset, offset + length)
  const open = (): Readable => Readable.from(chunksOf(bytes), { objectMode: false })
  return { part: { number, offset, length, md5: md5(bytes) }, slice: { length, open } }
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

/** One upload as the machinery would run it, with its record in memory. */
export interface Driven {
  readonly view: UploadView
  readonly source: Source
  /** As last saved; what another process would go on from. */
  readonly draft: () => unknown
  readonly bound: () => { readonly key: string; readonly remoteId: string } | undefined
  readonly prepare: () => Promise<Session>
  readonly send: (session: Session, blob: Blob) => Promise<Receipt[]>
  readonly sendAll: (session: Session) => Promise<void>
  readonly finish: (session: Session, blob: Blob, receipts: readonly Receipt[]) => Promise<void>
  readonly confirm: (session: Session) => Promise<Confirmation>
  readonly run: () => Promise<Version>
}

interface Driving {
  readonly provider: Provider
  readonly account: AccountAccess
  readonly request: unknown
  readonly source: Source
  readonly fileName?: string
  readonly boundTo?: string
  readonly signal?: AbortSignal
  /** What another process saved before it died. */
  readonly draft?: unknown
}

let uploads = 0

export function drive({ provider, account, source, signal = never, ...given }: Driving): Driven {
  uploads += 1
  let draft = given.draft
  let bound: { key: string; remoteId: string } | undefined
  const request = provider.uploadRequest.parse(given.request)
  const view: UploadView = {
    id: `upl_${uploads}`,
    epoch: 1,
    request,
    fileName: given.fileName ?? 'cube.vrca',
    size: source.bytes.length,
    hashes: source.hashes,
    ...(given.boundTo !== undefined && { boundTo: given.boundTo }),
  }
  const opening = {
    save: async (next: unknown, to?: { key: string; remoteId: string }) => {
      draft = viaRedis(next)
      bound = to ?? bound
    },
    stillOurs: async () => true,
  }
  const self: Driven = {
    view,
    source,
    draft: () => draft,
    bound: () => bound,
    prepare: async () => viaRedis(await provider.prepare(account, view, { draft, ...opening }, signal)),
    send: async (session, blob) => {
      const receipts: Receipt[] = []
      for (let number = 1; number <= partCount(blob); number += 1) {
        const sending = { blob, ...partOf(source, blob, number) }
        receipts.push(await provider.sendPart(account, session, sending, signal))
      }
      return receipts
    },
    finish: (session, blob, receipts) => provider.finish(account, session, { blob, receipts }, signal),
    sendAll: async (session) => {
      for (const blob of session.blobs) await self.finish(session, blob, await self.send(session, blob))
    },
    confirm: (session) => provider.confirm(account, session, view, signal),
    run: async () => {
      const session = await self.prepare()
      await self.sendAll(session)
      return completeVersion(() => self.confirm(session))
    },
  }
  return self
}

export async function completeVersion(confirm: () => Promise<Confirmation>): Promise<Version> {
  for (let tries = 1; ; tries += 1) {
    const found = await confirm()
    if (found.kind === 'complete') return found.version
    if (found.kind === 'broken' || tries > 200) throw new Error(`never complete: ${found.why}`)
    await new Promise((resolve) => void setTimeout(resolve, 20))
  }
}

/** What a value is after it was kept as JSON. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller's type is what comes back
export function viaRedis<T>(value: T): T {
  const copy: T = JSON.parse(JSON.stringify(value))
  return copy
}

/** Everything an error shows when it is logged, causes and all. */
export function shownBy(error: unknown): string {
  const seen: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) {
    seen.push(at.name, at.message, at.stack ?? '', JSON.stringify(at))
  }
  return seen.join('\n')
}

export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}
