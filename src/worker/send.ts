import { createHash } from 'node:crypto'
import { Blamed, StartOver } from '#shared/errors.ts'
import type { Governors } from '#shared/governor/governor.ts'
import { createTurns } from '#shared/governor/turns.ts'
import { partCount, partRange } from '#shared/providers/cut.ts'
import type { Providers } from '#shared/providers/index.ts'
import type {
  AccountAccess,
  Blob,
  Limits,
  Part,
  Receipt,
  Session,
  Slice,
} from '#shared/providers/provider.ts'
import { partJobId } from '#shared/queues.ts'
import type { Parts, SavedReceipt } from '#shared/records/parts.ts'
import type { Tickets } from '#shared/records/tickets.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Contents } from './contents.ts'
import { inTurn } from './in-turn.ts'
import type { Running } from './run.ts'

interface Deps {
  readonly parts: Parts
  readonly tickets: Tickets
  readonly governors: Governors
  readonly providers: Providers
  readonly contents: Contents
}

/** One part, with all that it takes to send it. */
export interface Sending {
  readonly record: UploadRecord
  readonly access: AccountAccess
  readonly limits: Limits
  readonly session: Session
  readonly blob: Blob
  readonly number: number
}

type Stop = Pick<Running, 'signal' | 'stopping'>

/**
 * Sends parts, so many at once in this process and within their accounts' limits. Both answer the receipt to save, or
 * throw what the provider said.
 */
export interface Sender {
  readonly send: (sending: Sending, running: Stop) => Promise<SavedReceipt>
  /** The same if that can begin at once, else `undefined`. */
  readonly sendNow: (sending: Sending, running: Stop) => Promise<SavedReceipt | undefined>
}

export function createSender(deps: Deps & { readonly atOnce: number }): Sender {
  const { atOnce } = deps
  const turns = createTurns()
  const sendThen = async (sending: Sending, running: Stop, giveBack: () => void): Promise<SavedReceipt> => {
    try {
      return await send(deps, sending, running)
    } finally {
      giveBack()
    }
  }
  return {
    send: async (sending, running) => {
      const until = AbortSignal.any([running.signal, running.stopping])
      return sendThen(sending, running, await turns.take('parts', atOnce, until))
    },
    sendNow: async (sending, running) => {
      const giveBack = turns.takeNow('parts', atOnce)
      return giveBack && sendThen(sending, running, giveBack)
    },
  }
}

async function send(
  { parts, tickets, governors, providers, contents }: Deps,
  sending: Sending,
  running: Stop,
): Promise<SavedReceipt> {
  const { signal } = running
  const { record, access, limits, session, blob, number } = sending
  const key = { upload: record.id, epoch: record.epoch, blob: blob.name, number }
  const range = partRange(blob, number)
  const [md5, whole] = await Promise.all([
    digestOf(parts, sending),
    contents.slice(record, blob, range, signal),
  ])
  const part: Part = { number, ...range, ...(md5 !== undefined && { md5 }) }
  const counted = countBytes(whole)
  const provider = providers(record.provider)
  const toSend = {
    blob,
    part,
    slice: counted.slice,
    tickets: tickets.reader(record),
  }

  const lease = { account: access.id, limits, jobId: partJobId(key) }
  const wait = async (until: AbortSignal, work: () => Promise<SavedReceipt>) =>
    governors.part(lease, until, work)

  return inTurn(running, wait, async () => {
    const sends = await parts.countSending(key, 1)
    try {
      const receipt = await provider.sendPart(access, session, toSend, signal)
      // Begun before and never heard of again: those processes died, and their bytes may all have gone out.
      const wasted = counted.bytes() - range.length + (sends - 1) * range.length
      if (wasted > 0) await parts.countResent(record.id, wasted)
      return savedReceipt(part, receipt)
    } catch (error) {
      await Promise.all([parts.countSending(key, -1), parts.countResent(record.id, counted.bytes())])
      throw await trueReason(error, counted.slice, md5)
    }
  })
}

function savedReceipt(part: Part, { etag, md5 = part.md5 }: Receipt): SavedReceipt {
  return {
    ...(etag !== undefined && { etag }),
    ...(md5 !== undefined && { md5 }),
    bytes: part.length,
    at: Date.now(),
  }
}

/** Blames the source instead if its bytes are not those that were hashed: same size and time prove nothing. */
async function trueReason(error: unknown, slice: Slice, md5: string | undefined): Promise<unknown> {
  if (!(error instanceof Blamed) || md5 === undefined) return error
  const hash = createHash('md5')
  for await (const chunk of slice.open()) hash.update(chunk)
  if (hash.digest('hex') === md5) return error
  return new StartOver('source-changed', `${error.message}; the source has other bytes than were hashed`)
}

/** `undefined` when nothing was hashed before it is sent, as the plan has it. */
async function digestOf(parts: Parts, { record, blob, number }: Sending): Promise<string | undefined> {
  const whole = blob.content === 'source' ? record.hashes?.md5 : record.hashes?.signature?.md5
  // A provider may take in one part what was hashed in many.
  if (partCount(blob) === 1 && whole !== undefined) return whole
  if (record.plan.partSize === undefined) return undefined
  const md5 = await parts.digest(record.id, blob.content, number)
  if (md5 === undefined) throw new Error(`Part ${number} of ${blob.name} was never hashed`)
  return md5
}

/** Counts what is read for sending, over all openings of the slice. */
function countBytes(slice: Slice): { slice: Slice; bytes: () => number } {
  let bytes = 0
  const open = () => {
    const stream = slice.open()
    stream.on('data', (chunk: Buffer) => (bytes += chunk.length))
    // Listening starts the flow; whoever takes the stream decides when that is.
    return stream.pause()
  }
  return { slice: { length: slice.length, open }, bytes: () => bytes }
}
