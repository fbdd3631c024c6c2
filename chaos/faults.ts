import type { FaultRule } from '../test/fakes/vrchat/server.ts'

interface Kind {
  readonly name: string
  readonly rule: Pick<FaultRule, 'operation' | 'action'>
  /** The client learns of it only by waiting as long as it waits for anything: half a minute, or a whole one. */
  readonly isSlow?: true
}

const anywhere = (name: string, action: FaultRule['action'], slow: { isSlow?: true } = {}): Kind => ({
  name,
  rule: { operation: '*', action },
  ...slow,
})

const atPart = (name: string, action: FaultRule['action']): Kind => ({
  name,
  rule: { operation: 'putPart', action },
})

/** What the provider asks for when it is asked too much: seconds. */
export const RETRY_AFTER_S = 3

/**
 * Every kind that the fake knows, each as it may happen to anybody: all of these are got over without a person.
 * A 4xx that means what it says is not among them.
 */
const kinds: readonly Kind[] = [
  anywhere('reset-on-arrival', 'reset-on-arrival'),
  anywhere('lost-reply', 'lost-reply'),
  anywhere('endless-headers', 'endless-headers'),
  anywhere('half-close', 'half-close'),
  anywhere('bad-chunks', 'bad-chunks'),
  anywhere('false-length', 'false-length', { isSlow: true }),
  anywhere('cut-answer', 'cut-answer'),
  anywhere('huge-body', 'huge-body'),
  anywhere('html', 'html'),
  anywhere('status', { kind: 'status', status: 503 }),
  anywhere('status-after', { kind: 'status-after', status: 500 }),
  anywhere('too-many', { kind: 'status', status: 429, headers: { 'retry-after': String(RETRY_AFTER_S) } }),
  anywhere('delay', { kind: 'delay', ms: 700 }),
  anywhere('hang', 'hang', { isSlow: true }),
  anywhere('hang-after', 'hang-after', { isSlow: true }),
  anywhere('drip', 'drip', { isSlow: true }),
  atPart('reset-mid-body', 'reset-mid-body'),
  atPart('early', { kind: 'status', status: 503, early: true }),
  atPart('expired', 'expired'),
  atPart('wrong-etag', 'wrong-etag'),
  atPart('no-etag', 'no-etag'),
  atPart('weak-etag', 'weak-etag'),
  atPart('odd-etag', 'odd-etag'),
  atPart('store-short', 'store-short'),
  atPart('store-flipped', 'store-flipped'),
]

export const kindsOfFaults: readonly string[] = kinds.map(({ name }) => name)

// At most so many of each, or a run is nothing but waiting.
const MOST_SLOW = 5

export interface PlannedFault {
  readonly name: string
  readonly rule: FaultRule
}

interface Wanted {
  readonly seed: number
  readonly faultPercent: number
  readonly without: readonly string[]
}

/** One rule for each kind, with a sequence of its own. */
export const planFaults = ({ seed, faultPercent, without }: Wanted): readonly PlannedFault[] =>
  kinds
    .filter(({ name }) => !without.includes(name) && faultPercent > 0)
    .map(({ name, rule, isSlow }, index) => ({
      name,
      rule: {
        ...rule,
        probability: faultPercent / 100,
        seed: seed * 100 + index,
        ...(isSlow && { times: MOST_SLOW }),
      },
    }))
