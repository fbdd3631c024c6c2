import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { ErrorClass } from '../errors.ts'
import type { Keys } from '../keys.ts'
import { redact } from '../secrets.ts'
import type { LedgerEntry } from './ledger.ts'
import type { RunScript } from './scripts.ts'
import { uploadError, uploadRecord } from './upload.ts'
import type { UploadRecord } from './upload.ts'

/** What a step may change. State, indexes, owners and counters follow from it inside the script. */
export type Patch = Partial<
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

interface Also {
  readonly remove?: readonly (keyof Patch)[]
  /** Set to the time that it is, by Redis's clock. */
  readonly stamp?: readonly ('confirmSince' | 'cleanupSince')[]
  readonly ledger?: LedgerEntry
}

/** Who says so: the orchestrator of a run, or a part. */
interface Culprit {
  readonly id: string
  readonly epoch: number
  readonly run?: number
  readonly part?: { readonly blob: string; readonly number: number }
}

/** Someone else changed the record first: read it again, nothing was written. */
export class Stale extends Error {
  override name = 'Stale'
}

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly run: RunScript
  /** Ledger entries kept per destination. */
  readonly retainVersions: number
}

/** Changing a record that is being worked on; refused when epoch or rev is not what the caller read. */
export function createChanges({ redis, keys, run, retainVersions }: Deps) {
  return {
    /**
     * Changes the record, its indexes and its ledger together, and answers it as it is now, with what others noted
     * meanwhile. Throws `Stale` when it moved on.
     */
    transition: async (record: UploadRecord, patch: Patch, also: Also = {}): Promise<UploadRecord> => {
      const ledger = also.ledger === undefined ? '' : JSON.stringify(also.ledger)
      const at = [record.id, record.epoch, record.rev] as const
      const answer = await run('transition', ...at, fieldsOf(patch, also), ledger, retainVersions)
      const rev = newRev(answer, record)
      // What others note is in the answer, or not there any more.
      const { failure: _failure, restart: _restart, ...known } = record
      const { now, ...noted } = notedIn(answer)
      const next: UploadRecord = { ...known, ...patch, rev, ...noted }
      for (const name of also.stamp ?? []) next[name] = now
      for (const name of also.remove ?? []) delete next[name]
      return next
    },

    /** Saves a draft and makes the remote id the upload's destination. `taken`: someone else owns it now. */
    bind: async (
      record: UploadRecord,
      draft: unknown,
      bound: { readonly key: string; readonly remoteId: string },
    ): Promise<UploadRecord | 'taken'> => {
      const at = [record.id, record.epoch, record.rev] as const
      const to = [bound.key, bound.remoteId, record.binding] as const
      const answer = await run('bind', ...at, JSON.stringify(draft), ...to)
      if (outcome.parse(answer)[0] === 'taken') return 'taken'
      return { ...record, draft, destination: bound.key, rev: newRev(answer, record) }
    },

    /**
     * Notes why the upload must fail, or start over; the first reason stands. Does nothing for a run that is
     * over, or for a part that arrived all the same or that its upload is past.
     */
    blame: async (
      { id, epoch, run: its, part }: Culprit,
      what: 'failure' | 'restart',
      reason: { readonly class: ErrorClass; readonly message: string },
    ): Promise<void> => {
      const noted = { class: reason.class, message: redact(reason.message), at: Date.now() }
      const which = part === undefined ? '' : `${part.blob}/${part.number}`
      await run('blame', id, epoch, its ?? '', which, what, JSON.stringify(noted))
    },

    /** Says what a running upload waits for; `undefined` when it goes on. */
    waitingFor: async (id: string, reason: string | undefined): Promise<void> => {
      if (reason === undefined) await redis.hdel(keys.upload(id), 'waitingFor')
      else await run('amend', id, '', 'HSET', 'waitingFor', redact(reason))
    },
  }
}

const outcome = z.tuple([z.string()]).rest(z.unknown())

function newRev(answer: unknown, record: UploadRecord): number {
  const [kind, rev] = outcome.parse(answer)
  if (kind === 'ok') return Number(rev)
  throw new Stale(
    `Upload ${record.id} (epoch ${record.epoch}, rev ${record.rev}) was changed by someone else`,
  )
}

const changed = z.tuple([
  z.literal('ok'),
  z.number(),
  uploadRecord.shape.desired,
  /** JSON, or nothing. */
  z.string(),
  z.string(),
  z.number(),
])

/** What others may have noted since the record was read. */
function notedIn(
  answer: unknown,
): Pick<UploadRecord, 'desired' | 'failure' | 'restart'> & { readonly now: number } {
  const [, , desired, failure, restart, now] = changed.parse(answer)
  return {
    now,
    desired,
    ...(failure !== '' && { failure: uploadError.parse(JSON.parse(failure)) }),
    ...(restart !== '' && { restart: uploadError.parse(JSON.parse(restart)) }),
  }
}

const fieldsOf = (patch: Patch, { remove = [], stamp = [] }: Also): string =>
  JSON.stringify({
    ...Object.fromEntries(Object.entries(patch).map(([name, value]) => [name, asField(value)])),
    // To the script, false means: remove the field; true: the time that it is.
    ...Object.fromEntries(remove.map((name) => [name, false])),
    ...Object.fromEntries(stamp.map((name) => [name, true])),
  })

/** Half a surrogate pair, cut from somebody's message, would be no JSON to the script. */
const asField = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number'
    ? redact(String(value).toWellFormed())
    : JSON.stringify(value)
