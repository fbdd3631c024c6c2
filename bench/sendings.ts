import { z } from 'zod'
import { askFake } from '../test/support/programs/fake.ts'
import type { Stage } from './stage.ts'

const sending = z.object({
  sequence: z.number(),
  /** When it came and when it was over, in ms of the clock that is ours too. */
  time: z.number(),
  endedAt: z.number().optional(),
  fileId: z.string(),
  partNumber: z.number(),
  /** `none` when the client went before there was an answer. */
  status: z.union([z.number(), z.literal('none')]),
})

/** One request to storage, as the fake saw it. */
export type Sending = z.infer<typeof sending>

/** All requests with bytes of a part since a sequence number, the oldest first. */
export async function sendingsOf({ fake, signal }: Stage, since = 0): Promise<readonly Sending[]> {
  const what = `GET /ledger?operation=putPart&since=${since}`
  return askFake({ fake: fake.ready, signal }, what, z.array(sending))
}

export const isUnderWay = ({ endedAt }: Sending): boolean => endedAt === undefined
