import { z } from 'zod'
import type { Unreadable } from '#shared/records/read-each.ts'
import { uploadStates } from '#shared/records/upload.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { redact } from '#shared/secrets.ts'
import { time, timeOrNull } from './time.ts'
import { versionFields, versionView } from './version.ts'

const uploadView = z
  .object({
    id: z.string(),
    provider: z.string(),
    account: z.string(),
    state: z.enum(uploadStates),
    desired: z.enum(['run', 'cancel']).meta({ description: 'The last command that was accepted' }),
    waitingFor: z.string().nullable().meta({
      description:
        'Why it does not move: `account: …`, `destination: <upload>`, `turn`, or the reason in words',
    }),
    source: z.string(),
    fileName: z.string(),
    destination: z.record(z.string(), z.unknown()).meta({ description: 'As requested' }),
    size: z.int().meta({ description: 'Bytes of the source' }),
    bytesSent: z.int().meta({ description: 'Bytes of parts that have their receipt' }),
    bytesResent: z.int().meta({ description: 'Bytes that went out for nothing, or once more' }),
    parts: z
      .object({ total: z.int(), done: z.int() })
      .meta({ description: 'Over all blobs; 0 until opened' }),
    version: z.object(versionFields).nullable(),
    error: z.object({ class: z.string(), message: z.string(), at: z.string() }).nullable(),
    note: z.string().nullable(),
    epoch: z.int().meta({ description: 'Which remote session this is' }),
    attempts: z.int().meta({ description: 'How often it was let run' }),
    priority: z.int(),
    deadline: z.string(),
    createdAt: z.string(),
    updatedAt: z.string(),
    startedAt: z.string().nullable(),
    endedAt: z.string().nullable(),
  })
  .meta({ id: 'Upload' })

const unreadableView = z
  .object({ id: z.string(), state: z.literal('unreadable'), note: z.string() })
  .meta({ id: 'UnreadableUpload', description: 'Written by another version of Stevedore' })

/** An upload as the API shows it. */
export const uploadItem = z.union([uploadView, unreadableView])

export type UploadItem = z.infer<typeof uploadItem>

export function showUpload(
  record: UploadRecord | Unreadable,
  waitingFor: (record: UploadRecord) => string | null,
): UploadItem {
  if ('unreadable' in record) return { id: record.id, state: 'unreadable', note: record.unreadable }
  return {
    id: record.id,
    provider: record.provider,
    account: record.account,
    state: record.state,
    desired: record.desired,
    source: record.source,
    fileName: record.fileName,
    size: record.size,
    epoch: record.epoch,
    priority: record.priority,
    waitingFor: waitingFor(record),
    destination: destinationOf(record),
    bytesSent: record.bytesSent,
    bytesResent: record.bytesResent,
    parts: { total: record.partsTotal, done: record.partsDone },
    version: record.version === undefined ? null : versionView(record.version),
    error: errorOf(record),
    note: record.note === undefined ? null : redact(record.note),
    attempts: record.run,
    deadline: time(record.deadline),
    createdAt: time(record.createdAt),
    updatedAt: time(record.updatedAt),
    startedAt: timeOrNull(record.startedAt),
    endedAt: timeOrNull(record.endedAt),
  }
}

const requested = z.object({ destination: z.record(z.string(), z.unknown()) })

const destinationOf = ({ request }: UploadRecord): Record<string, unknown> =>
  requested.safeParse(request).data?.destination ?? {}

function errorOf({ error }: UploadRecord): { class: string; message: string; at: string } | null {
  if (error === undefined) return null
  return { class: error.class, message: redact(error.message), at: time(error.at) }
}
