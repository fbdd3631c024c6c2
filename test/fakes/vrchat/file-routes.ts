import { z } from 'zod'
import { requireAccount } from './auth-routes.ts'
import type { Core, Exchange } from './core.ts'
import type { Outcome } from '../http/exchange.ts'
import { json } from '../http/replies.ts'
import type { FileRecord, VersionRecord } from './file-records.ts'
import type { Operation } from './ledger.ts'
import { plainRefusal, quotedRefusal, validatorRefusal } from './replies.ts'
import { finishUpload, startUpload, uploadStatus } from './upload-routes.ts'

type Handler = (core: Core, exchange: Exchange, body: unknown) => Outcome | Promise<Outcome>

/** The handlers of the Files API. */
export const fileRoutes = {
  createFile,
  getFile,
  getFiles,
  createFileVersion,
  deleteFileVersion,
  deleteFile,
  downloadFileVersion,
  startFileDataUpload: (core, exchange) => startUpload(core, exchange, ownVersion(core, exchange)),
  finishFileDataUpload: (core, exchange, body) =>
    finishUpload(core, exchange, { ...ownVersion(core, exchange), body }),
  getFileDataUploadStatus: (core, exchange) => uploadStatus(core, exchange, ownVersion(core, exchange)),
} satisfies Partial<Record<Operation, Handler>>

const mimeTypes = [
  'application/gzip',
  'application/octet-stream',
  'application/x-avatar',
  'application/x-prop',
  'application/x-rsync-delta',
  'application/x-rsync-signature',
  'application/x-world',
  'image/bmp',
  'image/gif',
  'image/jpeg',
  'image/jpg',
  'image/png',
  'image/svg+xml',
  'image/svg\uff0bxml',
  'image/tiff',
  'image/webp',
]

const newFileSchema = z.looseObject({
  name: z.string(),
  mimeType: z.enum(mimeTypes),
  extension: z.string().min(1),
  tags: z.array(z.string()).optional(),
})

function createFile(core: Core, exchange: Exchange, body: unknown): Outcome {
  const account = requireAccount(core, exchange)
  const parsed = newFileSchema.safeParse(body)
  if (!parsed.success) throw plainRefusal(400, firstIssue(parsed.error))
  const file = core.store.createFile(account, parsed.data)
  exchange.entry.fileId = file.id
  return json(core.store.view(file))
}

function getFile(core: Core, exchange: Exchange): Outcome {
  requireAccount(core, exchange)
  const { store, settings } = core
  const file = store.files.get(exchange.entry.fileId ?? '')
  const view = file && store.readView(file)
  if (file === undefined || view === undefined) throw notFound(exchange)
  const age = Date.now() - file.createdAt
  if (settings.staleNewFileStatus !== 200 && age < settings.staleReadMs) {
    throw plainRefusal(settings.staleNewFileStatus, `File '${file.id}' not found`)
  }
  return json(view)
}

function getFiles(core: Core, exchange: Exchange): Outcome {
  const account = requireAccount(core, exchange)
  const { searchParams } = exchange.url
  if (searchParams.has('userId')) throw quotedRefusal(500, 'You do not have permission to do that.')
  const n = Number(searchParams.get('n') ?? 60)
  const offset = Number(searchParams.get('offset') ?? 0)
  if (!(Number.isInteger(n) && n >= 1 && n <= 100)) throw validatorRefusal('n must be between 1 and 100')
  if (!(Number.isInteger(offset) && offset >= 0)) throw validatorRefusal('offset must not be negative')
  const tag = searchParams.get('tag')
  const views = [...core.store.files.values()]
    .filter((file) => file.ownerId === account.id && isListed(file, tag))
    .toReversed()
    .map((file) => core.store.readView(file))
    .filter((view) => view !== undefined)
  return json(views.slice(offset, offset + n))
}

/** Icons and gallery pictures are listed only when asked for by tag. */
function isListed({ tags }: FileRecord, tag: string | null): boolean {
  if (tag !== null) return tags.includes(tag)
  return !tags.includes('icon') && !tags.includes('gallery')
}

const declaredSchema = z.looseObject({
  signatureMd5: z.string().min(1),
  signatureSizeInBytes: z.int().min(0),
  fileMd5: z.string().min(1).default(''),
  fileSizeInBytes: z.int().min(0).default(0),
})

function createFileVersion(core: Core, exchange: Exchange, body: unknown): Outcome {
  const file = ownFile(core, exchange)
  const parsed = declaredSchema.safeParse(body)
  if (!parsed.success) throw validatorRefusal(firstIssue(parsed.error))
  const pending = file.versions.find(({ deleted, status }) => !deleted && status !== 'complete')
  if (pending !== undefined) {
    core.violations.push(
      `createFileVersion: ${file.id} still has version ${pending.version}, ${pending.status}`,
    )
    throw quotedRefusal(
      core.settings.pendingVersionStatus,
      'There is already a pending version of this file.',
    )
  }
  exchange.entry.version = core.store.createVersion(file, parsed.data).version
  return json(core.store.view(file))
}

async function deleteFileVersion(core: Core, exchange: Exchange): Promise<Outcome> {
  const { file, version } = ownVersion(core, exchange)
  if (version.version === 0) {
    throw quotedRefusal(
      400,
      'You cannot delete the initial version of a file. Delete the whole file instead.',
    )
  }
  const newest = Math.max(...file.versions.filter(({ deleted }) => !deleted).map(({ version }) => version))
  if (version.version !== newest) {
    core.violations.push(
      `deleteFileVersion: ${file.id} version ${version.version} is not the newest, ${newest} is`,
    )
    throw quotedRefusal(
      500,
      `409, you can only delete the most recent version of a file: ${version.version} != ${newest}`,
    )
  }
  await core.store.deleteVersion(file, version)
  return json(core.store.view(file))
}

async function deleteFile(core: Core, exchange: Exchange): Promise<Outcome> {
  const file = ownFile(core, exchange)
  const removed = core.store.view(file)
  await core.store.deleteFile(file)
  return json(removed)
}

function downloadFileVersion(core: Core, exchange: Exchange): Outcome {
  requireAccount(core, exchange)
  const { file, version } = findVersion(core, exchange)
  const fileType = exchange.entry.fileType === 'signature' ? 'signature' : 'file'
  const blob = version.blobs?.[fileType]
  if (blob === undefined || version.status !== 'complete') throw notFound(exchange)
  exchange.entry.fileType = fileType
  if (core.settings.downloads === 'direct') {
    const length = String(blob.declaredSize)
    const headers = { 'content-type': file.mimeType, 'content-length': length }
    return { status: 200, headers, body: core.disk.read(blob.assembled) }
  }
  const wanted = { method: 'GET', upload: { file, version, blob }, partNumber: undefined } as const
  return { status: 302, headers: { location: core.grants.issue(core.urls.storage, wanted) } }
}

function ownVersion(core: Core, exchange: Exchange): { file: FileRecord; version: VersionRecord } {
  ownFile(core, exchange)
  return findVersion(core, exchange)
}

function ownFile(core: Core, exchange: Exchange): FileRecord {
  const account = requireAccount(core, exchange)
  const file = findFile(core, exchange)
  if (file.ownerId !== account.id) throw plainRefusal(403, 'You do not own this file')
  return file
}

function findVersion(core: Core, exchange: Exchange): { file: FileRecord; version: VersionRecord } {
  const file = findFile(core, exchange)
  const version = file.versions.find(({ version, deleted }) => version === exchange.entry.version && !deleted)
  if (version === undefined) throw notFound(exchange)
  return { file, version }
}

function findFile(core: Core, exchange: Exchange): FileRecord {
  const file = core.store.files.get(exchange.entry.fileId ?? '')
  if (file === undefined || file.deleted) throw notFound(exchange)
  return file
}

function notFound({ entry: { fileId, version } }: Exchange): Error {
  const what = version === undefined ? '' : ` version '${version}'`
  return plainRefusal(404, `File '${fileId}'${what} not found`)
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues
  return `${issue?.path.join('.')}: ${issue?.message}`
}
