import { z } from 'zod'
import { seededRandom } from '../seeded-random.ts'
import { type LedgerEntry, operations } from './ledger.ts'

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
  // On putPart only, processed:
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

const whereSchema = z.strictObject({
  user: z.string().optional(),
  fileId: z.string().optional(),
  version: z.int().optional(),
  fileType: z.string().optional(),
  partNumber: z.int().optional(),
})

const operationSchema = z.enum([...operations, '*'])

const ruleSchema = z.strictObject({
  operation: z.union([operationSchema, z.array(operationSchema)]),
  where: whereSchema.default({}),
  /** Which of the matching requests, from 1. */
  nth: z.union([z.int(), z.array(z.int())]).optional(),
  every: z.int().optional(),
  probability: z.number().optional(),
  seed: z.int().default(1),
  times: z.int().optional(),
  action: z.preprocess((action) => (typeof action === 'string' ? { kind: action } : action), actionSchema),
})

export type FaultAction = z.output<typeof actionSchema>

type ActionInput = z.input<typeof actionSchema>

/** Without nth, every and probability the rule takes each matching request, at most `times` of them. */
export type FaultRule = Omit<z.input<typeof ruleSchema>, 'action'> & {
  action: ActionInput | Exclude<ActionInput['kind'], 'status' | 'status-after' | 'delay'>
}

interface FaultHandle {
  id: number
  rule: z.output<typeof ruleSchema>
  matched: number
  fired: number
}

export interface Faults {
  /** Throws when the rule is malformed. */
  add: (rule: FaultRule) => FaultHandle
  /** For rules from the control interface. */
  addUnchecked: (rule: unknown) => FaultHandle
  clear: () => void
  list: () => FaultHandle[]
}

export function createFaults(): Faults & { pick: (entry: LedgerEntry) => FaultAction | undefined } {
  let rules: ArmedRule[] = []
  let nextId = 1

  function addUnchecked(input: unknown): FaultHandle {
    const rule = ruleSchema.parse(input)
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

interface ArmedRule {
  handle: FaultHandle
  random: () => number
}

function matches({ handle: { rule } }: ArmedRule, entry: LedgerEntry): boolean {
  const wanted = [rule.operation].flat()
  if (!wanted.includes('*') && !wanted.includes(entry.operation)) return false
  const { user, fileId, version, fileType, partNumber } = rule.where
  return (
    agrees(user, entry.user) &&
    agrees(fileId, entry.fileId) &&
    agrees(version, entry.version) &&
    agrees(fileType, entry.fileType) &&
    agrees(partNumber, entry.partNumber)
  )
}

function agrees(wanted: unknown, actual: unknown): boolean {
  return wanted === undefined || wanted === actual
}

function fires({ handle, random }: ArmedRule): boolean {
  handle.matched += 1
  const { times, nth, every, probability } = handle.rule
  if (times !== undefined && handle.fired >= times) return false
  if (nth !== undefined) return [nth].flat().includes(handle.matched)
  if (every !== undefined) return handle.matched % every === 0
  return probability === undefined || random() < probability
}
