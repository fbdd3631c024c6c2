import type { ErrorClass } from '#shared/errors.ts'
import type { FaultRule } from '../../fakes/http/faults.ts'
import type { Call } from './subject.ts'

type Action = FaultRule<string, object>['action']

/** One kind of trouble that a call can meet. */
export interface Trouble {
  readonly name: string
  /** Applied to the first of the matching requests, the second, and so on. */
  readonly actions: () => readonly Action[]
  /** The first action is applied to each request there is. */
  readonly always?: boolean
  /** Only the watchdog ends it. */
  readonly stalls?: boolean
  /** The answer is as good as any: nothing has to be asked again. */
  readonly harmless?: boolean
  /** What the account was asked to do. */
  readonly pause?: Pause
  /** Only from VRChat itself: the answer of storage to a part has no body, and there is no firewall before it. */
  readonly onlyApi?: boolean
  /** Instead of what the call says of itself. */
  readonly repeats?: Call['repeats']
  /** Attempts that it uses, where the other side's trouble is taken for the upload's own. */
  readonly attempts?: number
  /** The upload ends as `failed` with this class, and with nothing of it left, as nothing can help it. */
  readonly fails?: ErrorClass
}

/** Nothing of the account may be sent for at least so long; in ms. */
export interface Pause {
  /** The shortest wait that the next request may have had, given when it was asked for. */
  readonly least: (askedAt: number) => number
  /** Longer than anybody wants to wait for: what must be kept as the pause, from and to. */
  readonly kept?: readonly [least: number, most: number]
  /** So long, or so often, that the upload waits, instead of ending. */
  readonly outlasts?: boolean
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** Times are taken on both sides of a connection, in whole ms. */
const EARLY = 30

const wait = (ms: number): Pause => ({ least: () => ms - EARLY })
const longWait = (least: number, most: number): Pause => ({ least: () => least, kept: [least, most] })

/** A pause of our own, as the answer named none that can be followed. */
const own = longWait(0.9 * MINUTE, 1.5 * MINUTE)
const firewall = longWait(14 * MINUTE, 15 * MINUTE)
const hour = { ...longWait(50 * MINUTE, 60 * MINUTE + 1000), outlasts: true }

const slowDown = (form: string, value: string, pause: Pause, status = 429): Trouble => ({
  name: `row 21: ${String(status)} with Retry-After ${form}`,
  actions: () => [{ kind: 'status', status, headers: { 'retry-after': value } }],
  pause,
})

const retryAfter = (): Trouble[] => {
  const until = Math.ceil(Date.now() / 1000 + 4) * 1000
  // Over already when the call comes late: then it means the same as zero.
  const tillDate: Pause = { least: (askedAt) => Math.max(until - askedAt, 1000) - EARLY }
  return [
    slowDown('in seconds', '2', wait(2000)),
    slowDown('as a date', new Date(until).toUTCString(), tillDate),
    slowDown('0', '0', wait(1000)),
    slowDown('-5', '-5', own),
    slowDown('garbage', 'soon', own),
    slowDown('150,100', '150,100', own),
    // Longer than anybody looks: how long is read where it is kept, however slow the machine.
    slowDown('of an hour in seconds', '3600', hour),
    slowDown('of an hour as a date', new Date(Date.now() + HOUR).toUTCString(), hour),
    // Cut to half a day.
    slowDown('of 41 hours', '150100', { ...longWait(11.9 * HOUR, 12 * HOUR), outlasts: true }),
    slowDown('in seconds', '1', wait(1000), 503),
  ]
}

const once = (name: string, action: Action, more: Partial<Trouble> = {}): Trouble => ({
  name,
  actions: () => [action],
  ...more,
})

const html = (status: number, more: Partial<Trouble> = {}): Trouble =>
  once(`rows 23, 39: an HTML page with status ${String(status)}`, { kind: 'html', status }, more)

const vrchatsFirewall: Partial<Trouble> = { pause: firewall, onlyApi: true }

/**
 * The nine of them, in all their forms. Made anew for each call, as one of them names a time. `firewall`: what a page
 * with status 403 means.
 */
export const troubles = (firewallIs = vrchatsFirewall): readonly Trouble[] => [
  once('row 22: the reply is lost', 'lost-reply'),
  once('row 22: the reply is cut in the middle', 'cut-answer'),
  once('row 16: a reset before', 'reset-on-arrival'),
  once('row 17: a reset in the middle of the body', 'reset-mid-body'),
  once('row 18: a half-close in the middle of the body', 'half-close'),
  {
    name: 'row 20: a burst of 500, 502, 503 and 504',
    actions: () => [500, 502, 503, 504].map((status) => ({ kind: 'status', status })),
  },
  ...retryAfter(),
  once('row 19: no answer, and nothing done', 'hang', { stalls: true }),
  once('row 19: no answer, though it is done', 'hang-after', { stalls: true }),
  html(200),
  html(403, firewallIs),
  html(502),
  once('row 18: an answer that drips', { kind: 'drip', intervalMs: 500 }, { stalls: true }),
  once(
    'row 18: an answer whose body drips',
    { kind: 'drip', intervalMs: 500, from: 'body' },
    { stalls: true, onlyApi: true },
  ),
  once('row 39: an error page without end', { kind: 'huge-body', status: 500 }),
  once('row 39: a success without end', { kind: 'huge-body', status: 200 }),
  once('row 39: headers without end', 'endless-headers'),
  once('row 39: chunks that are none', 'bad-chunks'),
  once('row 39: a length that is a lie', 'false-length'),
]

const expired =
  '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>'

const etag = (name: string, value: string, more: Partial<Trouble> = {}): Trouble =>
  once(`row 24: an ETag ${name}`, { kind: 'odd-etag', value }, more)

/** What only storage can do to a part. */
export const partTroubles: readonly Trouble[] = [
  once('row 26: a URL that was too old', 'expired'),
  once('row 26: a URL that gets too old while the part is sent', {
    kind: 'status',
    status: 403,
    afterBytes: 20_000,
    body: expired,
  }),
  once('row 18: an answer before the part was read', { kind: 'status', status: 503, early: true }),
  once('row 24: a wrong ETag', 'wrong-etag'),
  once('row 24: no ETag', 'no-etag'),
  once('row 24: a weak ETag', 'weak-etag', { harmless: true }),
  etag('without quotes', '%md5%', { harmless: true }),
  etag('with its quotes twice', '""%md5%""'),
  etag('of many parts', '"%md5%-1"'),
  etag('that is empty', '""'),
  once('row 25: it is stored one byte short', 'store-short'),
  once('row 25: it is stored with a wrong bit', 'store-flipped'),
  html(403),
  // Nothing that forgets: each attempt of the part asks for new URLs, and then it is over.
  html(403, {
    name: 'row 39: an HTML page with status 403 for ever',
    always: true,
    fails: 'part-failed',
  }),
]

const errorBody = { error: { message: 'Internal Server Error', status_code: 500 } }

/** What only a finish can answer. */
export const finishTroubles: readonly Trouble[] = [
  once('row 23: 200 with an error as its body', { kind: 'status', status: 200, body: errorBody }),
  once('row 23: 200 with an error as its body, though it is done', {
    kind: 'status-after',
    status: 200,
    body: errorBody,
  }),
  once('row 23: 404 though it is done', { kind: 'status-after', status: 404 }),
  once('row 23: 409 though it is done', { kind: 'status-after', status: 409 }),
  // Read back, and it was meant: what VRChat refuses it refuses again.
  once('row 23: 409, and it is not done', { kind: 'status', status: 409 }, { fails: 'refused' }),
]

/** A firewall that never forgets: the upload waits, says why, and is not the reason for a single call more. */
export const firewallForEver: Trouble = html(403, {
  name: 'row 39: an HTML page with status 403 for ever',
  always: true,
  pause: { ...firewall, outlasts: true },
})
