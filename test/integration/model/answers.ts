import { z } from 'zod'

const texts = z.array(z.string())
const bound = z.object({ key: z.string() })
const entry = z.object({ upload: z.string() })
const receipt = z.object({ bytes: z.number() })

/** What matters of each command's answer. */
const readers = new Map<string, (answer: unknown) => unknown>([
  ['smembers', (answer) => texts.parse(answer).toSorted()],
  ['zscore', (answer) => answer !== null],
  ['hgetall', (answer) => pairs(Object.entries(z.record(z.string(), z.string()).parse(answer)))],
  ['get', (answer) => (answer === null ? null : keyOf(z.string().parse(answer)))],
  ['lrange', (answer) => texts.parse(answer).map(uploadOf)],
  ['hmget', (answer) => z.array(z.string().nullable()).parse(answer).map(fieldOf)],
])

/** The answer of a command in a pipeline, as far as it is compared. Throws its error. */
export function read(command: string, answer: [Error | null, unknown] | undefined): unknown {
  const [error, value] = answer ?? [new Error('Redis did not answer'), undefined]
  if (error !== null) throw error
  const reader = readers.get(command)
  return reader === undefined ? value : reader(value)
}

/** Fields and values in an order that does not depend on when they came. */
export const pairs = (entries: Iterable<readonly [string, unknown]>): string[] =>
  [...entries].map(([field, value]) => `${field} ${bytesOf(String(value))}`).toSorted()

const isJson = (text: string): boolean => text.startsWith('{')

/** A receipt is known by its bytes, */
const bytesOf = (text: string): string =>
  isJson(text) ? String(receipt.parse(JSON.parse(text)).bytes) : text

/** a binding by its place, */
const keyOf = (text: string): string => (isJson(text) ? bound.parse(JSON.parse(text)).key : text)

/** a ledger entry by its upload; */
const uploadOf = (text: string): string => (isJson(text) ? entry.parse(JSON.parse(text)).upload : text)

/** of what else is JSON it only matters that it is there. What was never counted is not there. */
const fieldOf = (text: string | null): string => {
  if (text === null) return '0'
  return isJson(text) ? '1' : text
}
