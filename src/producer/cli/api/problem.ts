import { z } from 'zod'
import { printable } from '../terminal/text.ts'

const path = z.union([
  z.string(),
  z.array(z.union([z.string(), z.number()])).transform((parts) => parts.join('.')),
])

/** An `application/problem+json` body, as far as it is shown. */
export const problem = z.looseObject({
  title: z.string().optional(),
  detail: z.string().optional(),
  status: z.number().optional(),
  errors: z.array(z.looseObject({ path: path.default(''), message: z.string().default('') })).default([]),
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

/** A line that says what is wrong, then one for each bad field. */
export const describeProblem = (status: number, { title, detail, errors }: Problem): string => {
  const what = [...new Set([title, detail].filter((text) => text !== undefined && text !== ''))].join(': ')
  const fields = errors.map(({ path, message }) => `  - ${path === '' ? message : `${path}: ${message}`}`)
  return [`${what === '' ? 'The service refused it' : what} (${status})`, ...fields].map(printable).join('\n')
}

/** Reads an error's body; whatever is not a problem document is named by its status alone. */
export const parseProblem = (body: string): Problem => {
  try {
    return problem.parse(JSON.parse(body))
  } catch {
    return { errors: [], detail: 'the answer says no more; is this the address of Stevedore?' }
  }
}
