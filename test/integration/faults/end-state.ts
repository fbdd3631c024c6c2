import type { LedgerEntry } from '../../fakes/http/ledger.ts'
import { findCanaries } from '../../support/canaries.ts'
import { allKeys } from '../../support/hiding-places.ts'
import { differs } from '../../support/kill/end-state.ts'
import { attemptsUsed } from '../../support/service.ts'
import { isFor } from './subject.ts'
import type { Call, FaultyService, Seen, Subject } from './subject.ts'

/** Everything that is not as it has to be, with the fake as witness; one sentence each. */
export async function wrongInTheEnd<Kind extends Call, Service extends FaultyService>(
  subject: Subject<Kind, Service>,
  seen: Seen<Kind, Service>,
): Promise<string[]> {
  const { service, wrong } = seen
  return [
    ...wrong,
    ...wrongFaults(seen),
    ...wrongPause(seen),
    ...differs('violations', service.fake.violations, []),
    ...(await secretsIn(subject, seen)),
    ...(seen.trouble.pause?.outlasts === true ? wrongWait(seen) : await wrongEnd(subject, seen)),
  ]
}

type AnySeen = Seen<Call, FaultyService>

/** A trouble that never came proves nothing. */
function wrongFaults({ faults, call, trouble }: AnySeen): string[] {
  const fired = faults.map((fault) => fault.fired)
  if (trouble.always === true) return fired[0] === 0 ? ['the trouble never came'] : []
  // What comes of an optional call is never worth a second one.
  const wanted = fired.map((_, index) => (call.optional === true && index > 0 ? 0 : 1))
  return differs('times that each fault came', fired, wanted)
}

/** The first request of the account after the one that was told to wait. */
function wrongPause({ service, trouble, call }: AnySeen): string[] {
  const { pause } = trouble
  if (pause === undefined || pause.kept !== undefined) return []
  const told = service.fake.ledger.find((entry) => isFor(call, entry) && isFaulty(entry))
  const next = service.fake.ledger.find(({ sequence }) => sequence > (told?.sequence ?? Infinity))
  if (told?.endedAt === undefined || next === undefined) return ['nothing was sent after the pause']
  const waited = next.time - told.endedAt
  const least = pause.least(told.endedAt)
  return waited >= least ? [] : [`${next.operation} came ${waited} ms after it, and not ${least}`]
}

const isFaulty = ({ fault }: LedgerEntry): boolean => fault !== undefined

/** It still waits, says what for, and nothing was done beyond the call that was told to. */
function wrongWait({ record, service, call }: AnySeen): string[] {
  const after = service.fake.ledger.findLastIndex((entry) => entry.operation === call.operation)
  return [
    ...(/→ (403|429)/.test(record.waitingFor ?? '') ? [] : [`it waits for ${String(record.waitingFor)}`]),
    ...differs('requests after the last', service.fake.ledger.length - after - 1, 0),
  ]
}

async function wrongEnd<Kind extends Call, Service extends FaultyService>(
  subject: Subject<Kind, Service>,
  seen: Seen<Kind, Service>,
): Promise<string[]> {
  const { record, call, trouble, service } = seen
  const end = trouble.fails === undefined ? (call.ends ?? 'completed') : 'failed'
  if (record.state !== end) return [`the upload is ${JSON.stringify(record)}`]
  return [
    ...differs('epoch', record.epoch, 1),
    ...differs('class of the failure', record.error?.class, trouble.fails),
    ...differs('what is still wrong with it', record.failure ?? record.restart, undefined),
    ...(await subject.unfinished(service)),
    ...(end === 'completed' ? await wrongVersion(subject, seen) : await subject.leftovers(service)),
    ...(end === 'failed' ? [] : [...wrongEffects(subject, seen), ...(await wrongAttempts(seen))]),
  ]
}

async function wrongVersion<Kind extends Call, Service extends FaultyService>(
  subject: Subject<Kind, Service>,
  seen: Seen<Kind, Service>,
): Promise<string[]> {
  return [...(await subject.wrongVersion(seen)), ...wrongBytes(subject, seen)]
}

/** I4: each broken sending costs no more than what was under way, and the record owns up to it. */
function wrongBytes<Kind extends Call, Service extends FaultyService>(
  { isPart, declared, partSize }: Subject<Kind, Service>,
  { service, record }: Seen<Kind, Service>,
): string[] {
  const puts = service.fake.ledger.filter((entry) => isPart(entry))
  const broken = puts.filter((put) => isFaulty(put) || put.status === 'none').length
  const size = declared(service)
  const received = puts.reduce((sum, { bytes }) => sum + bytes, 0)
  const admitted = record.bytesSent + record.bytesResent
  return [
    ...(received > size + broken * partSize ? [`${received} bytes were sent of ${size}`] : []),
    ...(received > admitted ? [`${received} bytes were sent, and the record says ${admitted}`] : []),
  ]
}

/** How often everything that changes something was really done, and asked for. */
function wrongEffects<Kind extends Call, Service extends FaultyService>(
  { isDone, needed }: Subject<Kind, Service>,
  { service: { fake }, call, trouble }: Seen<Kind, Service>,
): string[] {
  const { repeats = call.repeats } = trouble
  const matching = fake.ledger.filter((entry) => isFor(call, entry))
  const faulty = matching.filter((entry) => isFaulty(entry))
  // Done, and nobody heard of it.
  const lost = matching.filter((entry) => isDone(entry) && (isFaulty(entry) || entry.status === 'none'))
  const again = repeats === 'again' ? lost.length : 0
  const wanted = { ...needed(call), ...call.effects }
  const found = Object.keys(wanted).map((operation) => [
    operation,
    fake.ledger.filter((entry) => entry.operation === operation && isDone(entry)).length,
  ])
  const due = withMore(withMore(wanted, call.operation, again), call.undoneBy, again)
  // What broke because the machine is too busy for these short times is no call too many.
  const asked = matching.filter((entry) => isFaulty(entry) || entry.status !== 'none').length
  const settled = repeats === 'once' ? lost.length : 0
  const repeated = trouble.harmless === true ? 0 : faulty.length - settled
  return [
    ...differs('what took effect', Object.fromEntries(found), due),
    ...(repeats === 'free' ? [] : differs(`requests to ${call.name}`, asked, 1 + repeated)),
  ]
}

type Counts = Readonly<Partial<Record<string, number>>>

/** Only of what is counted at all. */
function withMore(counts: Counts, operation: string | undefined, more: number): Counts {
  if (operation === undefined || !(operation in counts)) return counts
  return { ...counts, [operation]: (counts[operation] ?? 0) + more }
}

/** The trouble of the other side uses none. */
async function wrongAttempts({ service, call, trouble }: AnySeen): Promise<string[]> {
  const wanted = (call.attempts ?? 0) + (trouble.attempts ?? 0)
  return differs('attempts used', await attemptsUsed(service), wanted)
}

/** I7: in Redis, in the log, and in what the record said meanwhile. */
async function secretsIn<Kind extends Call, Service extends FaultyService>(
  { canaries }: Subject<Kind, Service>,
  { service, said }: Seen<Kind, Service>,
): Promise<string[]> {
  const { redis, keys } = service.stores
  const places = [
    { name: 'the log or a reason', content: said.join('\n') },
    ...(await allKeys(redis, `${keys.prefix}*`)),
  ]
  return findCanaries(places, canaries(service))
}
