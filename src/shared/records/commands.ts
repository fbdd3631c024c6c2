import { z } from 'zod'
import { parseAccount } from '../accounts/records.ts'
import type { AccountRecord } from '../accounts/records.ts'
import type { Plan } from '../providers/provider.ts'
import type { RunScript } from './scripts.ts'
import { parseUpload, RECORD_VERSION } from './upload.ts'
import type { UploadRecord } from './upload.ts'

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

const kindAndDetail = <const Kinds extends readonly [string, ...string[]]>(kinds: Kinds) =>
  z.tuple([z.enum(kinds)]).rest(z.string())
const acceptAnswer = kindAndDetail(['accepted', 'repeated', 'conflict', 'no-account'])
const wantAnswer = kindAndDetail(['ok', 'missing', 'no-account', 'ended', 'not-ended'])
const beginAnswer = z.tuple([z.number(), z.array(z.string()), z.array(z.string()), z.number()])

interface Deps {
  readonly run: RunScript
  /** Processes that die within this time of each other count as one crash. */
  readonly crashWindowMs: number
}

/** The queue's side of an upload: taken in, let run, picked up, called off, tried again, forgotten. */
export function createCommands({ run, crashWindowMs }: Deps) {
  return {
    /** Takes an upload into the queue, or answers what an earlier request with the same key made. */
    accept: async (upload: NewUpload, idempotency?: Idempotency): Promise<Accepted> => {
      const { key, bodyHash, ttlMs } = idempotency ?? { key: '', bodyHash: '', ttlMs: 0 }
      const { binding = '' } = upload.destination
      const answer = await run('accept', upload.id, newRecord(upload), binding, key, bodyHash, ttlMs)
      const [kind, id = upload.id] = acceptAnswer.parse(answer)
      return kind === 'no-account' ? { kind } : { kind, id }
    },

    /** Lets up to `most` waiting uploads run: what they need to get a job. */
    dispatch: async (most: number): Promise<{ id: string; run: number; fileName: string }[]> => {
      const flat = z.array(z.string()).parse(await run('dispatch', most, RECORD_VERSION))
      return flat.flatMap((id, index) =>
        index % 3 === 0 ? [{ id, run: Number(flat[index + 1]), fileName: flat[index + 2] ?? id }] : [],
      )
    },

    /**
     * Marks the job as in this process's hands, and answers what it needs to know: the upload, its account, and how
     * many processes died with the job in theirs.
     */
    begin: async (id: string, jobId: string, instance: string): Promise<Begun> =>
      begunOf(await run('begin', id, jobId, instance, RECORD_VERSION, crashWindowMs)),

    /** The job is not in this process's hands any more; another's mark stays. */
    done: async (id: string, jobId: string, instance: string): Promise<void> => {
      await run('done', id, jobId, instance)
    },

    /** What a person wants. The last accepted command wins. */
    want: async (id: string, what: 'cancel' | 'retry') => {
      const [kind, state] = wantAnswer.parse(await run('want', id, what))
      return { kind, state }
    },

    /** Fails an upload that still waits for its turn, when its time is over. */
    expire: async (id: string): Promise<void> => {
      const message = 'Its deadline passed while it waited for its turn'
      await run('expire', id, JSON.stringify({ class: 'deadline', message, at: Date.now() }))
    },

    /** Forgets an ended upload, if it ended before that time (ms since 1970). The ledger stays. */
    remove: async (id: string, before = Number.MAX_SAFE_INTEGER): Promise<void> => {
      await run('remove', id, before)
    },
  }
}

export interface Begun {
  readonly crashes: number
  /** By Redis's clock, in ms since 1970. */
  readonly now: number
  readonly record: UploadRecord | undefined
  readonly account: AccountRecord | undefined
}

function begunOf(answer: unknown): Begun {
  const [crashes, upload, account, now] = beginAnswer.parse(answer)
  return {
    crashes,
    now,
    record: upload.length === 0 ? undefined : parseUpload(unflatten(upload)),
    account: parseAccount(unflatten(account)),
  }
}

function unflatten(flat: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {}
  for (let index = 0; index + 1 < flat.length; index += 2) record[flat[index] ?? ''] = flat[index + 1] ?? ''
  return record
}

/** Half a surrogate pair would be no JSON to the script. */
const newRecord = (upload: NewUpload): string =>
  JSON.stringify(
    Object.fromEntries(Object.entries(fieldsOf(upload)).map(([name, text]) => [name, text.toWellFormed()])),
  )

const fieldsOf = (upload: NewUpload): Record<string, string> => ({
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
