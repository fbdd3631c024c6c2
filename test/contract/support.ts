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
  ReadTickets,
  Receipt,
  Session,
  Slice,
  Tickets,
  UploadView,
  Version,
} from '#shared/providers/provider.ts'

/** Of a session that kept none. */
export const noTickets: ReadTickets = async (names) => names.map(() => undefined)

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
  /** All parts in order, `but` for so many at the end, each so many `times`. */
  readonly send: (
    session: Session,
    blob: Blob,
    how?: { readonly times?: number; readonly but?: number },
  ) => Promise<Receipt[]>
  readonly sendAll: (session: Session) => Promise<void>
  readonly finish: (session: Session, blob: Blob, receipts: readonly Receipt[]) => Promise<void>
  readonly confirm: (session: Session) => Promise<Confirmation>
  readonly tickets: ReadTickets
  /** By blob and number, of every part that was sent; what the record would hold of them. */
  readonly receipts: ReadonlyMap<string, Receipt>
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
  /** The tickets that another process saved. */
  readonly tickets?: ReadTickets
  /** Those that another process saved: `sendAll` sends nothing of them again. */
  readonly receipts?: ReadonlyMap<string, Receipt>
  /** When the source was last changed, in ms since 1970. */
  readonly modifiedAt?: number
}

let uploads = 0

const keyOf = (blob: Blob, number: number): string => `${blob.name}/${number}`

export function drive({ provider, account, source, signal = never, ...given }: Driving): Driven {
  uploads += 1
  let draft = given.draft
  let bound: { key: string; remoteId: string } | undefined
  let saved: Tickets = {}
  const tickets: ReadTickets = async (names) => {
    const found = (await given.tickets?.(names)) ?? []
    return names.map((name, index) => saved[name] ?? found[index])
  }
  const request = provider.uploadRequest.parse(given.request)
  const isHashed = provider.plan(request, source.bytes.length, account.settings).partSize !== undefined
  const view: UploadView = {
    id: `upl_${uploads}`,
    epoch: 1,
    request,
    fileName: given.fileName ?? 'cube.vrca',
    size: source.bytes.length,
    modifiedAt: given.modifiedAt ?? 1_750_000_000_000,
    ...(isHashed && { hashes: source.hashes }),
    ...(given.boundTo !== undefined && { boundTo: given.boundTo }),
  }
  const opening = {
    save: async (next: unknown, to?: { key: string; remoteId: string }) => {
      draft = viaRedis(next)
      bound = to ?? bound
    },
    saveTickets: async (secrets: Tickets) => {
      saved = viaRedis(secrets)
    },
    stillOurs: async () => true,
  }
  const receipts = new Map<string, Receipt>()
  const sendOne = async (session: Session, blob: Blob, number: number): Promise<Receipt> => {
    const sending = { blob, tickets, ...partOf(source, blob, number) }
    const receipt = await provider.sendPart(account, session, sending, signal)
    receipts.set(keyOf(blob, number), viaRedis(receipt))
    return receipt
  }
  const self: Driven = {
    view,
    source,
    draft: () => draft,
    bound: () => bound,
    tickets,
    receipts,
    prepare: async () => {
      const opened = await provider.prepare(account, view, { draft, ...opening }, signal)
      if ('kind' in opened) throw new Error(`nothing was opened: ${opened.note}`)
      return viaRedis(opened)
    },
    send: async (session, blob, { times = 1, but = 0 } = {}) => {
      const found: Receipt[] = []
      for (let number = 1; number <= partCount(blob) - but; number += 1) {
        for (let sent = 1; sent < times; sent += 1) await sendOne(session, blob, number)
        found.push(await sendOne(session, blob, number))
      }
      return found
    },
    finish: (session, blob, receipts) =>
      provider.finish(account, session, { blob, receipts, tickets }, signal),
    sendAll: async (session) => {
      for (const blob of session.blobs) {
        const found: Receipt[] = []
        for (let number = 1; number <= partCount(blob); number += 1) {
          const known = given.receipts?.get(keyOf(blob, number))
          found.push(known ?? (await sendOne(session, blob, number)))
        }
        await self.finish(session, blob, found)
      }
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

/** Aborts at the `nth` request of a phase, as a process that is killed there hears of nothing any more. */
export function stopAt(phase: string, nth: number) {
  const stop = new AbortController()
  let seen = 0
  return {
    signal: stop.signal,
    /** For the fake's hooks. */
    onRequest: (event: { readonly phase: string }): void => {
      if (event.phase !== phase) return
      seen += 1
      if (seen === nth) stop.abort(new Error('killed'))
    },
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
