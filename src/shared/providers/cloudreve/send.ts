import type { BlobFinishing, PartSending, ReadTickets, Receipt, Slice } from '../provider.ts'
import type { Work } from './deps.ts'
import { sendEmpty } from './empty.ts'
import { encrypted } from './encryption.ts'
import { ticket, type SessionState } from './session.ts'
import { transports } from './transports/index.ts'

/** Sends one chunk the way its session's storage policy wants it. */
export const sendChunk = async (
  work: Work,
  state: SessionState,
  { blob, part, slice, tickets }: PartSending,
): Promise<Receipt> => {
  if (state.transport === 'empty') {
    await sendEmpty(work, state)
    return {}
  }
  const body = state.encrypted ? await encryptedBody(slice, tickets, part.offset) : slice
  return transports[state.transport].sendChunk(work, { state, blob, part, body, tickets })
}

const encryptedBody = async (slice: Slice, tickets: ReadTickets, offset: number): Promise<Slice> => {
  const [key, iv] = await tickets([ticket.key, ticket.iv])
  if (key === undefined || iv === undefined) throw new Error('the key of an encrypted upload is missing')
  return encrypted(slice, { key, iv }, offset)
}

/** Has the chunks put together, where the site does not do that by itself. */
export const finishUpload = async (
  work: Work,
  state: SessionState,
  finishing: BlobFinishing,
): Promise<void> => {
  if (state.transport === 'empty') return
  await transports[state.transport].complete?.(work, { state, ...finishing })
}
