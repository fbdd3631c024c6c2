import { z } from 'zod'
import { FatalError } from '#shared/errors.ts'
import { nonsense } from '#shared/http/failure.ts'
import type { HttpAnswer } from '#shared/http.ts'
import { refusalOf, type Answered } from './store-answers.ts'
import { jsonIn } from './store-codes.ts'

const standing = z.object({ nextExpectedRanges: z.array(z.string().regex(/^\d+-/)) })
const busy = z.object({ error: z.object({ retryAfterSeconds: z.number() }) })

/** Where OneDrive wants the file to go on, from 0; `size` when it has all. Throws for an answer that does not say. */
export const expectedByte = ({ answer, ...asked }: Answered, size: number): number => {
  const ranges = standing.safeParse(jsonIn(answer.text)).data?.nextExpectedRanges
  if (ranges === undefined) throw nonsense(asked, answer.status, 'without nextExpectedRanges')
  const [first] = ranges
  return first === undefined ? size : Number(first.split('-')[0])
}

/** What a refusal means when nothing more particular is known of it. */
export const refusalOfOneDrive = (answered: Answered): Error => {
  const refusal = refusalOf({ ...answered, answer: withWait(answered.answer) })
  if (answered.answer.status === 507)
    return new FatalError('refused', `${refusal.message}: that drive is full`)
  if (answered.answer.status !== 400) return refusal
  const hint = 'its chunks have to be multiples of 320 KiB, and less than 60 MiB: see the storage policy'
  return new FatalError('refused', `${refusal.message}; ${hint}`)
}

/** Some of its answers say in the body how long to wait. */
const withWait = (answer: HttpAnswer): HttpAnswer => {
  const seconds = busy.safeParse(jsonIn(answer.text)).data?.error.retryAfterSeconds
  if (seconds === undefined || answer.header('retry-after') !== undefined) return answer
  return { ...answer, header: (name) => (name === 'retry-after' ? String(seconds) : answer.header(name)) }
}
