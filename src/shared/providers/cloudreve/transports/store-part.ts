import { Blamed } from '#shared/errors.ts'
import type { HttpAnswer } from '#shared/http.ts'
import type { Receipt } from '../../provider.ts'
import type { Work } from '../deps.ts'
import { digestOnTheWay } from '../digest-on-the-way.ts'
import { assertNoPage, OCTETS, settleRefusal, type Answered } from './store-answers.ts'
import type { Chunk } from './transport.ts'

/** How a store takes one part, and what its answer says of it. */
export interface StorePart {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** The receipt, and the MD5 that the store claims to have got, lower-case hex. Throws for what is none. */
  readonly read: (answered: Answered) => { readonly etag?: string; readonly md5?: string }
  /** Whether this refusal says that the whole upload is gone. */
  readonly isGone: (answer: HttpAnswer) => boolean
  /** Returns when the site has the file all the same; else throws, at best `lost`. */
  readonly ifGone?: (lost: Error) => Promise<void>
  /** What to do when a store's MD5s are others than ours, for people. */
  readonly hint: string
}

/**
 * Puts one part, and compares what the store got with what went out: once more when that differs, then `Blamed`.
 * Putting a part again is harmless, so a lost answer needs no settling.
 */
export const putPart = async (work: Work, chunk: Chunk, store: StorePart): Promise<Receipt> => {
  const { state, part, body } = chunk
  const what = `PUT ${state.transport} part ${String(part.number)}`
  for (let differences = 0; ;) {
    const { slice, md5 } = digestOnTheWay(body)
    const answered = await put(work, { ...store, what, slice })
    if (answered.answer.status !== 200) {
      const isGone = store.isGone(answered.answer)
      await settleRefusal(work, state, { ...answered, isGone, ifGone: store.ifGone })
      return {}
    }
    assertNoPage(answered)
    const sent = md5()
    if (sent === undefined) throw new Blamed(`${what} → 200 before all of it was sent`, 'part-failed')
    const { etag, md5: claimed = sent } = store.read(answered)
    if (claimed === sent) return { ...(etag !== undefined && { etag }), md5: sent }
    differences += 1
    if (differences > 1) {
      throw new Blamed(
        `${what} → other bytes than were sent, by its MD5, twice; ${store.hint}`,
        'etag-mismatch',
      )
    }
  }
}

const put = async (
  { storage, timing, signal }: Work,
  { url, what, headers, slice }: StorePart & { what: string; slice: Chunk['body'] },
): Promise<Answered> => {
  const request = { method: 'PUT', url, what, headers: { ...OCTETS, ...headers }, body: slice } as const
  return { answer: await storage.send({ ...request, totalMs: timing.chunkMs }, signal), url, what }
}
