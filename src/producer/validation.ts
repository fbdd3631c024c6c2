import type { FastifySchemaCompiler } from 'fastify'
import type { z } from 'zod'
import { type FieldError, Problem } from './problem.ts'

/** Checks requests with their zod schemas; what does not fit is a 422 that names each field. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema }) => checkWith(schema)

export const checkWith = (schema: z.ZodType) => (given: unknown) => {
  const checked = schema.safeParse(given)
  return checked.success ? { value: checked.data } : { error: invalid(checked.error) }
}

/** The refusal of a request that is not as its schema says. */
export function invalid(error: z.ZodError): Problem {
  const errors = error.issues.flatMap((issue) => fieldErrors(issue, []))
  const all = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  return new Problem(422, `The request can not be used: ${all}`, { errors })
}

function fieldErrors(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): FieldError[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: pathOf([...path, key]), message: 'there is no such field' }))
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The alternative that got furthest is the one that was meant.
    const meant = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? []
    return meant.flatMap((inner) => fieldErrors(inner, path))
  }
  // What is wrong with the key of a map is said below it.
  if (issue.code === 'invalid_key' && issue.issues.length > 0) {
    return issue.issues.flatMap((inner) => fieldErrors(inner, path))
  }
  return [{ path: pathOf(path), message: issue.message }]
}

const pathOf = (path: readonly PropertyKey[]): string => path.map(String).join('.')
