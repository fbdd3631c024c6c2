import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { ErrorClass } from '../errors.ts'
import type { Keys } from '../keys.ts'
import type { Plan, Version } from '../providers/provider.ts'
import type { RunScript } from './scripts.ts'
import { fingerprint, parseUpload, RECORD_VERSION } from './upload.ts'
import type { UploadRecord, UploadState } from './upload.ts'
import { redact } from '../secrets.ts'
import type { Fingerprint } from '../sources/fingerprint.ts'

/** What a new upload's record begins with. Times in ms since 1970. */
export interface NewUpload {
  readonly id: string
  readonly provider: string
  readonly account: string
  readonly request: Record<string, unknown>
  readonly plan: Plan
  readonly source: string
  readonly fileName: string
  readonly destination: { readonly key: string; readonly binding?: string; readonly fresh?: true }
  readonly size: number
  readonly priority: number
  readonly verify: 'none' | 'download'
  readonly deadline: number
}

export interface Idempotency {
  readonly key: string
  readonly bodyHash: string
  readonly ttlMs: number
}

export type Accepted =
  | { readonly kind: 'accepted' | 'repeated' | 'conflict'; readonly id: string }
  | { readonly kind: 'no-account' }

/** A ledger entry: a version, and the source it was made of. */
export interface LedgerEntry extends Version {
  readonly upload: string
  readonly fingerprint: Fingerprint
}

type Patch = Partial<
  Pick<
    UploadRecord,
    | 'state'
    | 'epoch'
    | 'size'
    | 'blob'
    | 'partsTotal'
    | 'fingerprint'
    | 'hashes'
    | 'session'
    | 'draft'
    | 'plan'
    | 'version'
    | 'error'
    | 'failure'
    | 'restarts'
    | 'note'
    | 'confirmSince'
    | 'cleanupSince'
  >
>

/** Someone else changed the record first: read it again, nothing was written. */
export class Stale extends Error {
  override name = 'Stale'
}

const pair = z.tuple([z.string()]).rest(z.unknown())

interface Deps {
  redis: Redis
  keys: Keys
  run: RunScript
  /** Ledger entries kept per destination. */
  retainVersions: number
}

/** The records of all uploads: read, and changed only through the scripts. */
export function createUploads({ redis, keys, run, retainVersions }: Deps) {
  const changed = (answer: unknown, record: UploadRecord): number => {
    const [outcome, detail] = pair.parse(answer)
    if (outcome === 'ok') return Number(detail)
    throw new Stale(`Upload ${record.id} (epoch ${record.epoch}, rev ${record.rev}) was changed by someone else`)
  }

  return {
    /** Takes an upload into the queue, or answers what an earlier request with the same key made. */
    accept: async (upload: NewUpload, idempotency?: Idempotency): Promise<Accepted> => {
      const { key, bodyHash, ttlMs } = idempotency ?? { key: '', bodyHash: '', ttlMs: 0 }
      const lookUp = upload.destination.fresh === true ? '' : (upload.destination.binding ?? '')
      const answer = await run('accept', upload.id, newRecord(upload), lookUp, key, bodyHash, ttlMs)
      const [kind, id] = acceptAnswer.parse(answer)
      return kind === 'no-account' ? { kind } : { kind, id: id ?? upload.id }
    },

    read: async (id: string): Promise<UploadRecord | undefined> => {
      const fields = await redis.hgetall(keys.upload(id))
      return Object.keys(fields).length === 0 ? undefined : parseUpload(fields)
    },

    readMany: async (ids: readonly string[]): Promise<UploadRecord[]> => {
      const pipeline = redis.pipeline()
      for (const id of ids) pipeline.hgetall(keys.upload(id))
      const answers = (await pipeline.exec()) ?? []
      return answers.flatMap(([error, fields]) => {
        if (error !== null) throw error
        const record = z.record(z.string(), z.string()).parse(fields)
        return Object.keys(record).length === 0 ? [] : [parseUpload(record)]
      })
    },

    /** Marks the job as in this process's hands, and answers how many processes died with it in theirs. */
    begin: async (id: string, jobId: string, instance: string) => {
      const [crashes, flat] = beginAnswer.parse(await run('begin', id, jobId, instance))
      return { crashes, record: flat.length === 0 ? undefined : parseUpload(unflatten(flat)) }
    },

    /** The job is in nobody's hands any more. */
    done: async (id: string, jobId: string): Promise<void> => {
      await redis.hdel(keys.runs(id), jobId)
    },

    /** Changes the record, its indexes and its ledger together. Throws `Stale` when it moved on meanwhile. */
    transition: async (
      record: UploadRecord,
      patch: Patch,
      { remove = [], ledger }: { remove?: readonly (keyof Patch)[]; ledger?: LedgerEntry } = {},
    ): Promise<UploadRecord> => {
      const fields = {
        ...Object.fromEntries(Object.entries(patch).map(([name, value]) => [name, asField(value)])),
        ...Object.fromEntries(remove.map((name) => [name, false])),
      }
      const rev = changed(
        await run(
          'transition',
          record.id,
          record.epoch,
          record.rev,
          JSON.stringify(fields),
          ledger === undefined ? '' : JSON.stringify(ledger),
          retainVersions,
        ),
        record,
      )
      const next = { ...record, ...patch, rev }
      for (const name of remove) delete next[name]
      return next
    },

    /** Saves a draft and makes the remote id the upload's destination. `taken`: someone else owns it now. */
    bind: async (
      record: UploadRecord,
      draft: unknown,
      bound: { readonly key: string; readonly remoteId: string },
    ): Promise<UploadRecord | 'taken'> => {
      const moveWaiters = record.binding !== '' && record.fresh === '' ? '1' : ''
      const answer = await run(
        'bind',
        record.id,
        record.epoch,
        record.rev,
        JSON.stringify(draft),
        bound.key,
        bound.remoteId,
        record.binding,
        moveWaiters,
      )
      if (pair.parse(answer)[0] === 'taken') return 'taken'
      return { ...record, draft, destination: bound.key, rev: changed(answer, record) }
    },

    /** The remote id that the destination's name is bound to. */
    boundTo: async (record: UploadRecord): Promise<string | undefined> => {
      if (record.binding === '' || record.fresh !== '') return undefined
      const bound = await redis.get(keys.binding(record.binding))
      return bound === null ? undefined : bindingValue.parse(JSON.parse(bound)).remoteId
    },

    /** Notes why the upload must fail, or start over; the first reason stands. */
    blame: async (
      record: { readonly id: string; readonly epoch: number },
      what: 'failure' | 'restart',
      reason: { readonly class: ErrorClass; readonly message: string },
    ): Promise<void> => {
      const text = JSON.stringify({ class: reason.class, message: redact(reason.message), at: Date.now() })
      await run('blame', record.id, record.epoch, what, text)
    },

    /** Says what a running upload waits for; `undefined` when it goes on. */
    waitingFor: async (id: string, reason: string | undefined): Promise<void> => {
      if (reason === undefined) await redis.hdel(keys.upload(id), 'waitingFor')
      else await redis.hset(keys.upload(id), 'waitingFor', redact(reason))
    },

    /** What a person wants. The last accepted command wins. */
    want: async (id: string, what: 'cancel' | 'retry') => {
      const [kind, state] = wantAnswer.parse(await run('want', id, what))
      return { kind, state }
    },

    /** Ids, newest first, that come after the cursor. One index answers: nothing is scanned. */
    list: async (
      filter: { readonly account?: string | undefined; readonly state?: UploadState | undefined },
      { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
    ): Promise<string[]> =>
      redis.zrevrangebylex(
        keys.uploadsBy(filter),
        cursor === undefined ? '+' : `(${cursor}`,
        '-',
        'LIMIT',
        0,
        limit,
      ),

    /** The ledger of one destination, newest first. */
    versions: async (account: string, destination: string, limit: number): Promise<LedgerEntry[]> => {
      const entries = await redis.lrange(keys.versions(account, destination), 0, limit - 1)
      return entries.map((entry) => ledgerEntry.parse(JSON.parse(entry)))
    },

    owner: async (destination: string): Promise<string | undefined> =>
      (await redis.get(keys.destination(destination))) ?? undefined,

    /** Lets up to `most` waiting uploads run: what they need to get a job. */
    dispatch: async (most: number): Promise<{ id: string; run: number; fileName: string }[]> => {
      const flat = z.array(z.string()).parse(await run('dispatch', most, RECORD_VERSION))
      return flat.flatMap((id, index) =>
        index % 3 === 0 ? [{ id, run: Number(flat[index + 1]), fileName: flat[index + 2] ?? id }] : [],
      )
    },

    /** Uploads between dispatch and their end. */
    running: async (): Promise<string[]> => redis.zrange(keys.running, '0', '-1'),

    /** Up to `most` uploads that ended before that time (ms since 1970). */
    endedBefore: async (time: number, most: number): Promise<string[]> =>
      redis.zrangebyscore(keys.ended, '-inf', time, 'LIMIT', 0, most),

    /** Forgets an ended upload. The ledger stays. */
    remove: async (id: string): Promise<void> => {
      await run('remove', id)
    },
  }
}

export type Uploads = ReturnType<typeof createUploads>

const acceptAnswer = z
  .tuple([z.enum(['accepted', 'repeated', 'conflict', 'no-account'])])
  .rest(z.string())
  .transform(([kind, id]) => [kind, id] as const)
const beginAnswer = z.tuple([z.number(), z.array(z.string())])
const wantAnswer = z
  .tuple([z.enum(['ok', 'missing', 'ended', 'not-ended'])])
  .rest(z.string())
  .transform(([kind, state]) => [kind, state] as const)
const bindingValue = z.object({ key: z.string(), remoteId: z.string() })
const ledgerEntry = z.object({
  remoteId: z.string(),
  number: z.number(),
  size: z.number(),
  md5: z.string(),
  url: z.string().exactOptional(),
  completedAt: z.number(),
  upload: z.string(),
  fingerprint,
})

const asField = (value: unknown): unknown =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value)

function unflatten(flat: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {}
  for (let index = 0; index + 1 < flat.length; index += 2) record[flat[index] ?? ''] = flat[index + 1] ?? ''
  return record
}

const newRecord = (upload: NewUpload): string =>
  JSON.stringify({
    v: String(RECORD_VERSION),
    id: upload.id,
    provider: upload.provider,
    account: upload.account,
    desired: 'run',
    epoch: '1',
    priority: String(upload.priority),
    source: upload.source,
    fileName: upload.fileName,
    request: JSON.stringify(upload.request),
    plan: JSON.stringify(upload.plan),
    destination: upload.destination.key,
    binding: upload.destination.binding ?? '',
    fresh: upload.destination.fresh === true ? '1' : '',
    size: String(upload.size),
    verify: upload.verify,
    deadline: String(upload.deadline),
    bytesSent: '0',
    bytesResent: '0',
    partsDone: '0',
  })
