import { z } from 'zod'
import { printable } from '../terminal/text.ts'

/** An `application/problem+json` body, as far as it is shown. */
const problem = z.looseObject({
  title: z.string().optional(),
  detail: z.string().optional(),
  status: z.number().optional(),
  errors: z.array(z.looseObject({ path: z.string(), message: z.string() })).default([]),
})

export type Problem = z.infer<typeof problem>

/** The service said no. The message is the whole problem, for people to read. */
export class Refused extends Error {
  override name = 'Refused'
  readonly status: number
  readonly problem: Problem

  constructor(status: number, said: Problem) {
    super(describeProblem(status, said))
    this.status = status
    this.problem = said
  }
}

/** A line that says what is wrong, then one for each bad field that it does not name already. */
const describeProblem = (status: number, { title, detail, errors }: Problem): string => {
  const what = detail ?? title ?? 'The service refused it'
  const fields = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  const named = errors.every(({ message }) => what.includes(message))
  if (named && fields.length < 2) return printable(`${what} (${status})`)
  const head = named ? 'The service refused these fields' : what
  return [`${head} (${status})`, ...fields.map((field) => `  - ${field}`)].map(printable).join('\n')
}

/** Reads an error's body; whatever is not a problem document is named by its status alone. */
export const parseProblem = (body: string): Problem => {
  try {
    return problem.parse(JSON.parse(body))
  } catch {
    return { errors: [], detail: 'the answer says no more; is this the address of Stevedore?' }
  }
}
