import { z } from 'zod'
import type { Core, Exchange } from './core.ts'
import type { Outcome } from '../http/exchange.ts'
import { json } from '../http/replies.ts'
import { type BlobRecord, type FileRecord, type VersionRecord, blobFileName } from './file-records.ts'
import type { Upload } from './file-store.ts'
import { plainRefusal, quotedRefusal, validatorRefusal } from './replies.ts'

interface FoundVersion {
  file: FileRecord
  version: VersionRecord
}

export function startUpload(core: Core, exchange: Exchange, found: FoundVersion): Outcome {
  const upload = findUpload(exchange, found)
  if (upload.blob.status !== 'waiting') {
    core.violations.push(`startFileDataUpload: ${nameOf(upload)} is ${upload.blob.status}`)
    throw quotedRefusal(
      400,
      'This file version is already complete. Please create a new version of the file first.',
    )
  }
  const partNumber = checkedPartNumber(core, exchange, upload.blob)
  return json({ url: core.grants.issue(core.urls.storage, { method: 'PUT', upload, partNumber }) })
}

function checkedPartNumber(core: Core, { url }: Exchange, { category }: BlobRecord): number | undefined {
  const text = url.searchParams.get('partNumber')
  if (category === 'simple') {
    // Clients are seen to send 1 for simple uploads too.
    if (text !== null && text !== '1') throw validatorRefusal('partNumber is for multipart uploads')
    return undefined
  }
  const partNumber = Number(text)
  if (!(Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= core.settings.maxParts)) {
    throw validatorRefusal(`partNumber must be between 1 and ${core.settings.maxParts}`)
  }
  return partNumber
}

/** Hangs for what is not waiting, as the live service does for complete versions. */
export function uploadStatus(core: Core, exchange: Exchange, found: FoundVersion): Outcome {
  const upload = findUpload(exchange, found)
  const { file, version, blob } = upload
  if (blob.status !== 'waiting') {
    core.violations.push(`getFileDataUploadStatus: ${nameOf(upload)} is ${blob.status}`)
    return 'hang'
  }
  const etags = [...blob.parts].toSorted(([a], [b]) => a - b).map(([, { md5 }]) => md5)
  return json({
    uploadId: blob.uploadId,
    fileName: blobFileName(file, version.version, blob.fileType),
    nextPartNumber: core.settings.statusNextPart === 'count' ? blob.parts.size : 0,
    maxParts: core.settings.maxParts,
    parts: [],
    etags: blob.category === 'multipart' ? etags : [],
  })
}

const finishSchema = z
  .looseObject({ etags: z.array(z.string()).optional() })
  .nullish()
  .transform((body) => body?.etags)

export function finishUpload(
  core: Core,
  exchange: Exchange,
  { body, ...found }: FoundVersion & { body: unknown },
): Outcome {
  const parsed = finishSchema.safeParse(body)
  if (!parsed.success) throw validatorRefusal('etags must be a list of strings')
  exchange.entry.etags = parsed.data
  const upload = findUpload(exchange, found)
  if (upload.blob.status !== 'waiting') throw quotedRefusal(400, 'This file was already finished.')
  if (upload.blob.category === 'simple') checkSimple(core, upload, parsed.data)
  else checkParts(core, upload, parsed.data ?? [])
  core.store.finishBlob(upload)
  return json(core.store.view(upload.file))
}

function checkSimple(core: Core, upload: Upload, etags: string[] | undefined): void {
  if (etags !== undefined) {
    core.violations.push(`finishFileDataUpload: etags for ${nameOf(upload)}, which is simple`)
    throw plainRefusal(500, 'Internal Server Error')
  }
  if (upload.blob.parts.size === 0) throw quotedRefusal(400, 'Nothing was uploaded.')
}

function checkParts(core: Core, upload: Upload, etags: string[]): void {
  const problem = partsProblem(core.settings.minPartSize, upload.blob, etags)
  if (problem === undefined) return
  core.violations.push(`finishFileDataUpload: ${nameOf(upload)}: ${problem}`)
  throw quotedRefusal(400, problem)
}

function partsProblem(minPartSize: number, { parts }: BlobRecord, etags: string[]): string | undefined {
  if (etags.length === 0) return 'etags are missing'
  if (etags.some((etag) => /["']|^W\//.test(etag))) return 'etags must come without quotes'
  if (etags.length !== parts.size) return `${etags.length} etags for ${parts.size} stored parts`
  for (const [index, etag] of etags.entries()) {
    const part = parts.get(index + 1)
    if (part === undefined) return `InvalidPart: part ${index + 1} was not uploaded`
    if (part.md5 !== etag) return `InvalidPart: the etag of part ${index + 1} is not that of what was stored`
    if (index + 1 < etags.length && part.size < minPartSize) {
      return `EntityTooSmall: part ${index + 1} has ${part.size} bytes`
    }
  }
  return undefined
}

function findUpload({ entry }: Exchange, { file, version }: FoundVersion): Upload {
  const blob =
    entry.fileType === 'file' || entry.fileType === 'signature' ? version.blobs?.[entry.fileType] : undefined
  if (blob === undefined) throw quotedRefusal(400, `This version has no ${entry.fileType}.`)
  return { file, version, blob }
}

function nameOf({ file, version, blob }: Upload): string {
  return `${file.id} ${version.version} ${blob.fileType}`
}
