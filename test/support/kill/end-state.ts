import { setTimeout as sleep } from 'node:timers/promises'
import { isEnded } from '#shared/records/upload.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { PART_SIZE } from './service.ts'
import type { Sent, Service } from './service.ts'

/** How long leases and locks of the dead may outlive the upload. */
const SETTLES_WITHIN_MS = 10_000

/**
 * Everything that is not as it must be after a first upload to a name was interrupted so often and then
 * completed: I1 to I5, with the fake's ledger as witness. One sentence each; none when all is right.
 */
export async function wrongWithCompleted(
  service: Service,
  sent: Sent,
  interruptions: number,
  { epoch = 1 }: { readonly epoch?: number } = {},
): Promise<string[]> {
  const record = await service.machine.stores.uploads.read(sent.id)
  if (record?.state !== 'completed') return [`the upload is ${JSON.stringify(record)}`]
  return [
    ...wrongWithRecord(record, sent, epoch),
    ...(await wrongAtFake(service, sent, record)),
    ...wrongAmount(service, record, interruptions),
    ...(await wrongInRedis(service, record)),
  ]
}

/** As `wrongWithCompleted`, for one that failed or was cancelled: nothing of it is left anywhere. */
export async function wrongWithEnded(
  service: Service,
  { id }: Sent,
  state: 'failed' | 'cancelled',
): Promise<string[]> {
  const record = await service.machine.stores.uploads.read(id)
  if (record?.state !== state) return [`the upload is ${JSON.stringify(record)}`]
  const { files, violations } = service.fake
  return [
    ...differs('files left at the provider', files, []),
    ...differs('violations', violations, []),
    ...(await wrongInRedis(service, record)),
  ]
}

function wrongWithRecord(record: UploadRecord, { size }: Sent, epoch: number): string[] {
  const signatureSize = record.hashes?.signature?.size ?? 0
  return [
    ...differs('epoch', record.epoch, epoch),
    ...differs('version number', record.version?.number, 1),
    ...differs('size', record.size, size),
    ...differs('bytesSent', record.bytesSent, size + signatureSize),
    ...differs('partsDone', record.partsDone, record.partsTotal),
    ...differs('failure', record.failure ?? record.error ?? record.restart, undefined),
  ]
}

async function wrongAtFake({ fake }: Service, { sha256 }: Sent, record: UploadRecord): Promise<string[]> {
  const { remoteId = '' } = record.version ?? {}
  const versions = fake.files.flatMap((file) =>
    file.versions
      .filter(({ version }) => version > 0)
      .map(({ version, status }) => `${file.id} ${version} ${status}`),
  )
  const arrived = await fake.sha256Of(remoteId, 1, 'file').catch((error: unknown) => String(error))
  return [
    ...differs('number of Files', fake.files.length, 1),
    ...differs('versions', versions, [`${remoteId} 1 complete`]),
    ...differs('open versions', fake.openVersions(), []),
    ...differs('SHA-256 of what arrived', arrived, sha256),
    ...differs('violations', fake.violations, []),
  ]
}

/** I4, and that the record owns up to it. */
function wrongAmount({ fake, partsAtOnce }: Service, record: UploadRecord, interruptions: number): string[] {
  const [version] = fake.files.flatMap(({ versions }) => versions.filter((one) => one.version === 1))
  const file = version?.file
  const signature = version?.signature
  if (file === undefined || signature === undefined) return ['the version has no data']
  const mostTwice = interruptions * partsAtOnce * PART_SIZE
  const received = file.received + signature.received
  return [
    ...exceeds('bytes of the file', file.received, record.size + mostTwice),
    ...exceeds('bytes of the signature', signature.received, signature.declaredSize * (1 + interruptions)),
    ...exceeds('bytes beyond those in the record', received, record.bytesSent + record.bytesResent),
  ]
}

/** Whatever still holds or waits for something, once so many uploads to one destination have all ended alike. */
export async function wrongInRedis(service: Service, record: UploadRecord, uploads = 1): Promise<string[]> {
  for (const giveUpAt = Date.now() + SETTLES_WITHIN_MS; ; await sleep(50)) {
    const wrong = await leftInRedis(service, record, uploads)
    if (wrong.length === 0 || Date.now() > giveUpAt) return wrong
  }
}

async function leftInRedis({ machine }: Service, record: UploadRecord, uploads: number): Promise<string[]> {
  const { redis, keys, queues } = machine.stores
  const unfinished = ['waiting', 'active', 'delayed', 'prioritized', 'waiting-children'] as const
  const { account, id, state } = record
  const [owned, calls, parts, ends, ledger, ...counts] = await Promise.all([
    Promise.all([redis.keys(keys.destination('*')), redis.keys(keys.destinationQueue('*'))]),
    redis.zcount(keys.accountLeases(account, 'calls'), Date.now(), '+inf'),
    redis.zcount(keys.accountLeases(account, 'parts'), Date.now(), '+inf'),
    redis.xrange(`${keys.prefix}:events`, '-', '+'),
    redis.llen(keys.versions(account, record.destination)),
    redis.scard(keys.accountActive(account)),
    redis.zcard(keys.running),
    redis.zcard(`${keys.prefix}:waiting:${account}`),
    redis.exists(keys.runs(id), `${keys.upload(id)}:crashed`),
    queues.uploads.getJobCountByTypes(...unfinished),
    queues.parts.getJobCountByTypes(...unfinished),
  ])
  const ended = ends.map(([, fields]) => fields[3]).filter((one) => isEnd(one))
  return [
    ...differs('destinations that have an owner or a line', owned.flat(), []),
    ...differs('leases', { calls, parts }, { calls: 0, parts: 0 }),
    ...differs('active, running, waiting, runs, upload jobs, part jobs', counts, [0, 0, 0, 0, 0, 0]),
    ...differs('ends', ended, Array.from({ length: uploads }).fill(state)),
    ...differs('ledger entries', ledger, state === 'completed' ? uploads : 0),
  ]
}

const isEnd = (state: string | undefined): boolean =>
  state === 'completed' || state === 'skipped' || state === 'failed' || state === 'cancelled'

export const differs = (what: string, found: unknown, wanted: unknown): string[] => {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)]
  return is === should ? [] : [`${what}: ${is} instead of ${should}`]
}

const exceeds = (what: string, found: number, most: number): string[] =>
  found <= most ? [] : [`${what}: ${found}, more than ${most}`]

/** Waits until the upload ended; answers what keeps it, if that takes too long. */
export async function untilEnded({ machine }: Service, { id }: Sent, withinMs: number): Promise<string[]> {
  for (const giveUpAt = Date.now() + withinMs; ; await sleep(50)) {
    const record = await machine.stores.uploads.read(id)
    if (record !== undefined && isEnded(record.state)) return []
    if (Date.now() > giveUpAt) return [`not ended after ${withinMs} ms: ${JSON.stringify(record)}`]
  }
}
