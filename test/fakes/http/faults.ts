import { z } from 'zod'
import { seededRandom } from '../seeded-random.ts'
import type { LedgerEntry } from './ledger.ts'

const plainKinds = [
  // Never processed:
  'reset-on-arrival',
  'hang',
  'half-close',
  'endless-headers',
  'bad-chunks',
  'false-length',
  'expired',
  // Processed, and then:
  'lost-reply',
  'cut-answer',
  'hang-after',
  // Only where bytes are taken, processed:
  'wrong-etag',
  'no-etag',
  'weak-etag',
  'store-short',
  'store-flipped',
] as const

const headers = z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional()

const actionSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(plainKinds) }),
  z.strictObject({
    kind: z.literal('status'),
    status: z.int(),
    headers,
    body: z.unknown().optional(),
    /** Answers before the request body was read. */
    early: z.boolean().default(false),
    /** Answers when so much of the request body was read, and reads on no more. */
    afterBytes: z.int().optional(),
  }),
  z.strictObject({
    kind: z.literal('status-after'),
    status: z.int(),
    headers,
    body: z.unknown().optional(),
  }),
  z.strictObject({ kind: z.literal('html'), status: z.int().default(502) }),
  z.strictObject({ kind: z.literal('huge-body'), status: z.int().default(500) }),
  /** Half the announced body when `afterBytes` is not given. */
  z.strictObject({ kind: z.literal('reset-mid-body'), afterBytes: z.int().optional() }),
  z.strictObject({
    kind: z.literal('drip'),
    /** Where it begins: what is before comes at once. */
    from: z.enum(['head', 'body']).default('head'),
    bytes: z.int().default(1),
    intervalMs: z.number().default(1000),
  }),
  z.strictObject({ kind: z.literal('delay'), ms: z.number() }),
  /** `%md5%` in `value` becomes the true MD5. */
  z.strictObject({ kind: z.literal('odd-etag'), value: z.string().default('"%md5%-1"') }),
])

/** Every kind of fault that there is. */
export const faultKinds: readonly string[] = actionSchema.options.flatMap(({ shape: { kind } }) => [
  ...('values' in kind ? kind.values : kind.options),
])

export type FaultAction = z.output<typeof actionSchema>

type ActionInput = z.input<typeof actionSchema>

/** Without nth, every and probability the rule takes each matching request, at most `times` of them. */
export interface FaultRule<Operation extends string, Where> {
  operation: Operation | '*' | (Operation | '*')[]
  /** What else of the ledger entry must be so, such as the user. */
  where?: Where | undefined
  /** Which of the matching requests, from 1. */
  nth?: number | number[] | undefined
  every?: number | undefined
  probability?: number | undefined
  seed?: number | undefined
  times?: number | undefined
  action: ActionInput | Exclude<ActionInput['kind'], 'status' | 'status-after' | 'delay'>
}

interface ParsedRule {
  operation: string | string[]
  where: object
  nth?: number | number[] | undefined
  every?: number | undefined
  probability?: number | undefined
  seed: number
  times?: number | undefined
  action: FaultAction
}

interface FaultHandle {
  id: number
  rule: ParsedRule
  matched: number
  fired: number
}

export interface Faults<Rule> {
  /** Throws when the rule is malformed. */
  add: (rule: Rule) => FaultHandle
  /** For rules from the control interface. */
  addUnchecked: (rule: unknown) => FaultHandle
  clear: () => void
  list: () => FaultHandle[]
}

interface Vocabulary<Operation extends string, Where extends object> {
  operation: z.ZodType<Operation>
  /** Fields of the ledger entry that a rule may ask for. */
  where: z.ZodType<Where>
}

type Picks = { pick: (entry: LedgerEntry) => FaultAction | undefined }

/** The rules of one fake, in its own words for what requests are for. */
export function createFaults<Operation extends string, Where extends object>(
  vocabulary: Vocabulary<Operation, Where>,
): Faults<FaultRule<Operation, Where>> & Picks {
  const schema = ruleSchema(vocabulary)
  let rules: ArmedRule[] = []
  let nextId = 1

  function addUnchecked(input: unknown): FaultHandle {
    const rule: ParsedRule = schema.parse(input)
    const handle: FaultHandle = { id: nextId++, rule, matched: 0, fired: 0 }
    rules.push({ handle, random: seededRandom(rule.seed) })
    return handle
  }

  return {
    add: addUnchecked,
    addUnchecked,
    clear: () => {
      rules = []
    },
    list: () => rules.map((rule) => rule.handle),
    pick: (entry) => {
      // Every rule counts the request, though only the first that fires is applied.
      const firing = rules.filter((rule) => matches(rule, entry)).filter(fires)
      const [chosen] = firing
      if (chosen === undefined) return undefined
      chosen.handle.fired += 1
      return chosen.handle.rule.action
    },
  }
}

function ruleSchema<Operation extends string, Where extends object>({
  operation,
  where,
}: Vocabulary<Operation, Where>): z.ZodType<ParsedRule> {
  const any = z.union([z.literal('*'), operation])
  return z.strictObject({
    operation: z.union([any, z.array(any)]),
    where: where.optional().transform((fields) => fields ?? {}),
    nth: z.union([z.int(), z.array(z.int())]).optional(),
    every: z.int().optional(),
    probability: z.number().optional(),
    seed: z.int().default(1),
    times: z.int().optional(),
    action: z.preprocess((action) => (typeof action === 'string' ? { kind: action } : action), actionSchema),
  })
}

interface ArmedRule {
  handle: FaultHandle
  random: () => number
}

function matches({ handle: { rule } }: ArmedRule, entry: LedgerEntry): boolean {
  const operations = [rule.operation].flat()
  if (!operations.includes('*') && !operations.includes(entry.operation)) return false
  const actual = new Map<string, unknown>(Object.entries(entry))
  const wanted: [string, unknown][] = Object.entries(rule.where)
  return wanted.every(([field, value]) => value === undefined || value === actual.get(field))
}

function fires({ handle, random }: ArmedRule): boolean {
  handle.matched += 1
  const { times, nth, every, probability } = handle.rule
  if (times !== undefined && handle.fired >= times) return false
  if (nth !== undefined) return [nth].flat().includes(handle.matched)
  if (every !== undefined) return handle.matched % every === 0
  return probability === undefined || random() < probability
}
