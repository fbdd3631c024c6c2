import type { FakeVrchat, LedgerEntry, Operation } from '../../fakes/vrchat/server.ts'
import { findCanaries } from '../../support/canaries.ts'
import { allKeys } from '../../support/hiding-places.ts'
import { differs } from '../../support/kill/end-state.ts'
import { attemptsUsed } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { PART_SIZE, TOTP_SECRET } from './calls.ts'
import type { Call } from './calls.ts'
import type { Seen } from './cell.ts'

/** Everything that is not as it has to be, with the fake as witness; one sentence each. */
export async function wrongInTheEnd(seen: Seen): Promise<string[]> {
  const { service, wrong } = seen
  return [
    ...wrong,
    ...wrongFaults(seen),
    ...wrongPause(seen),
    ...differs('violations', service.fake.violations, []),
    ...(await secretsIn(seen)),
    ...(seen.trouble.pause?.outlasts === true ? wrongWait(seen) : await wrongEnd(seen)),
  ]
}

/** A trouble that never came proves nothing. */
function wrongFaults({ faults, call, trouble }: Seen): string[] {
  const fired = faults.map((fault) => fault.fired)
  if (trouble.always === true) return fired[0] === 0 ? ['the trouble never came'] : []
  // What comes of an optional call is never worth a second one.
  const wanted = fired.map((_, index) => (call.optional === true && index > 0 ? 0 : 1))
  return differs('times that each fault came', fired, wanted)
}

/** The first request of the account after the one that was told to wait. */
function wrongPause({ service, trouble, call }: Seen): string[] {
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
function wrongWait({ record, service, call }: Seen): string[] {
  const after = service.fake.ledger.findLastIndex((entry) => entry.operation === call.operation)
  return [
    ...(/→ (403|429)/.test(record.waitingFor ?? '') ? [] : [`it waits for ${String(record.waitingFor)}`]),
    ...differs('requests after the last', service.fake.ledger.length - after - 1, 0),
  ]
}

async function wrongEnd(seen: Seen): Promise<string[]> {
  const { record, call, trouble, service } = seen
  const end = trouble.fails === undefined ? (call.ends ?? 'completed') : 'failed'
  if (record.state !== end) return [`the upload is ${JSON.stringify(record)}`]
  return [
    ...differs('epoch', record.epoch, 1),
    ...differs('class of the failure', record.error?.class, trouble.fails),
    ...differs('what is still wrong with it', record.failure ?? record.restart, undefined),
    ...differs('open versions', service.fake.openVersions(), []),
    ...(end === 'completed' ? await wrongVersion(seen) : differs('Files', service.fake.files, [])),
    ...(end === 'failed' ? [] : [...wrongEffects(seen), ...(await wrongAttempts(seen))]),
  ]
}

async function wrongVersion({ service, record, call, sha256 }: Seen): Promise<string[]> {
  const { fake } = service
  const { version = 1 } = call
  const { remoteId = '' } = record.version ?? {}
  const complete = fake.files.flatMap((file) =>
    file.versions.filter(({ version, status }) => version > 0 && status === 'complete').map(() => file.id),
  )
  const arrived = await fake.sha256Of(remoteId, version, 'file').catch((error: unknown) => String(error))
  return [
    ...differs('number of Files', fake.files.length, 1),
    ...differs('complete versions', complete.length, version === 1 ? 1 : 2),
    ...differs('version', record.version?.number, version),
    ...differs('SHA-256 of what arrived', arrived, sha256),
    ...wrongBytes(service, record.bytesSent + record.bytesResent),
  ]
}

/** I4: each broken sending costs no more than what was under way, and the record owns up to it. */
function wrongBytes({ fake, requests }: Service, admitted: number): string[] {
  const puts = requests('putPart')
  const broken = puts.filter((put) => isFaulty(put) || put.status === 'none').length
  const blobs = fake.files.flatMap(({ versions }) =>
    versions.flatMap(({ file, signature }) => [file, signature]),
  )
  const sent = blobs.filter((blob) => blob !== undefined && blob.received > 0)
  const size = sent.reduce((sum, blob) => sum + (blob?.declaredSize ?? 0), 0)
  const received = puts.reduce((sum, { bytes }) => sum + bytes, 0)
  return [
    ...(received > size + broken * PART_SIZE ? [`${received} bytes were sent of ${size}`] : []),
    ...(received > admitted ? [`${received} bytes were sent, and the record says ${admitted}`] : []),
  ]
}

const needed: Partial<Record<Operation, number>> = {
  login: 1,
  verifyTotp: 0,
  createFile: 1,
  createFileVersion: 1,
  finishFileDataUpload: 2,
  deleteFileVersion: 0,
  deleteFile: 0,
}

/** How often everything that changes something was really done, and asked for. */
function wrongEffects({ service: { fake }, call, trouble }: Seen): string[] {
  const matching = fake.ledger.filter((entry) => isFor(call, entry))
  const faulty = matching.filter((entry) => isFaulty(entry))
  // Done, and nobody heard of it.
  const lost = matching.filter((entry) => isDone(entry) && (isFaulty(entry) || entry.status === 'none'))
  const again = call.repeats === 'again' ? lost.length : 0
  const wanted = { ...needed, ...call.effects }
  const found = Object.keys(wanted).map((operation) => [operation, effectsOf(fake, operation)])
  const isCounted = call.operation in wanted
  const due = isCounted ? { ...wanted, [call.operation]: (wanted[call.operation] ?? 0) + again } : wanted
  // What broke because the machine is too busy for these short times is no call too many.
  const asked = matching.filter((entry) => isFaulty(entry) || entry.status !== 'none').length
  const repeated = trouble.harmless === true ? 0 : faulty.length - (lost.length - again)
  return [
    ...differs('what took effect', Object.fromEntries(found), due),
    ...(call.repeats === 'free' ? [] : differs(`requests to ${call.name}`, asked, 1 + repeated)),
  ]
}

const isFor = ({ operation, where = {} }: Call, entry: LedgerEntry): boolean =>
  entry.operation === operation &&
  (where.fileType === undefined || entry.fileType === where.fileType) &&
  (where.partNumber === undefined || entry.partNumber === where.partNumber)

const isDone = ({ decided }: LedgerEntry): boolean => decided === 200

const effectsOf = ({ ledger }: FakeVrchat, operation: string): number =>
  ledger.filter((entry) => entry.operation === operation && isDone(entry)).length

/** The trouble of the other side uses none. */
async function wrongAttempts({ service, call }: Seen): Promise<string[]> {
  return differs('attempts used', await attemptsUsed(service), call.attempts ?? 0)
}

/** I7: in Redis, in the log, and in what the record said meanwhile. */
async function secretsIn({ service, said }: Seen): Promise<string[]> {
  const { redis, keys } = service.stores
  const signatures = service
    .requests('putPart')
    .map(({ rawUrl }) => new URLSearchParams(rawUrl.split('?')[1]).get('X-Amz-Signature') ?? '')
    .filter((value) => value !== '')
    .map((value) => ({ name: 'a signature', value }))
  const canaries = [
    ...signatures,
    { name: 'the password', value: 'lovelace-1815' },
    { name: 'the TOTP secret', value: TOTP_SECRET },
    { name: 'a cookie', value: 'authcookie_' },
  ]
  const places = [
    { name: 'the log or a reason', content: said.join('\n') },
    ...(await allKeys(redis, `${keys.prefix}*`)),
  ]
  return findCanaries(places, canaries)
}
