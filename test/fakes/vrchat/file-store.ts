import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type BlobRecord,
  type FileRecord,
  type FileType,
  type FileView,
  type VersionRecord,
  type ViewOptions,
  fileView,
} from './file-records.ts'
import type { Settings } from './options.ts'
import type { PartDisk, StoredPart } from '../http/part-disk.ts'
import { lookAlike } from './replies.ts'

interface NewFile {
  name: string
  mimeType: string
  extension: string
  tags?: string[] | undefined
}

export interface Declared {
  fileMd5: string
  fileSizeInBytes: number
  signatureMd5: string
  signatureSizeInBytes: number
}

export interface Upload {
  file: FileRecord
  version: VersionRecord
  blob: BlobRecord
}

export interface FileStore {
  files: Map<string, FileRecord>
  /** Multipart uploads S3 knows: from creation until finished or deleted. */
  uploads: Map<string, Upload>
  maxOpenVersions: () => number
  createFile: (owner: { id: string; username: string }, fields: NewFile, id?: string) => FileRecord
  createVersion: (file: FileRecord, declared: Declared) => VersionRecord
  deleteVersion: (file: FileRecord, version: VersionRecord) => Promise<void>
  deleteFile: (file: FileRecord) => Promise<void>
  finishBlob: (upload: Upload) => void
  /** To be called after every change of a File. */
  remember: (file: FileRecord) => void
  /** The File as a write answers it: never stale. */
  view: (file: FileRecord) => FileView
  /** The File as a read shows it, which may be its state of a moment ago. */
  readView: (file: FileRecord) => FileView | undefined
  md5Of: (blob: BlobRecord) => Promise<string>
  sha256Of: (blob: BlobRecord) => Promise<string>
}

interface StoreDeps {
  settings: Settings
  disk: PartDisk
  viewOptions: () => ViewOptions
  closing: AbortSignal
}

export function createFileStore({ settings, disk, viewOptions, closing }: StoreDeps): FileStore {
  const files = new Map<string, FileRecord>()
  const uploads = new Map<string, Upload>()
  const open = new Set<VersionRecord>()
  let maxOpen = 0

  function remember(file: FileRecord): void {
    for (const version of file.versions) {
      if (isOpen(file, version)) open.add(version)
      else open.delete(version)
    }
    maxOpen = Math.max(maxOpen, open.size)
    if (settings.staleReadMs === 0) return
    const now = Date.now()
    const visible = file.history.findLastIndex(({ at }) => at <= now - settings.staleReadMs)
    file.history.splice(0, Math.max(visible, 0))
    file.history.push({ at: now, view: file.deleted ? undefined : view(file) })
  }

  function view(file: FileRecord): FileView {
    return fileView(file, viewOptions())
  }

  function createFile(owner: { id: string; username: string }, fields: NewFile, id?: string): FileRecord {
    const now = Date.now()
    const file: FileRecord = {
      id: id ?? `file_${randomUUID()}`,
      ownerId: owner.id,
      owner: owner.username,
      // The service writes look-alike punctuation into stored names as well.
      name: lookAlike(fields.name),
      mimeType: fields.mimeType,
      extension: fields.extension.startsWith('.') ? fields.extension : `.${fields.extension}`,
      tags: fields.tags ?? [],
      createdAt: now,
      deleted: false,
      versions: [{ version: 0, createdAt: iso(now), status: 'complete', deleted: false, blobs: undefined }],
      nextVersion: 1,
      history: [],
    }
    files.set(file.id, file)
    remember(file)
    return file
  }

  function createVersion(file: FileRecord, declared: Declared): VersionRecord {
    const { fileMd5, fileSizeInBytes, signatureMd5, signatureSizeInBytes } = declared
    const version: VersionRecord = {
      version: file.nextVersion++,
      createdAt: iso(Date.now()),
      status: 'waiting',
      deleted: false,
      blobs: {
        file: newBlob('file', fileMd5, fileSizeInBytes, settings.multipartThreshold),
        signature: newBlob(
          'signature',
          signatureMd5,
          signatureSizeInBytes,
          settings.signatureMultipartThreshold,
        ),
      },
    }
    for (const blob of blobsOf(version)) {
      if (blob.uploadId !== '') uploads.set(blob.uploadId, { file, version, blob })
    }
    file.versions.push(version)
    remember(file)
    return version
  }

  async function discard(version: VersionRecord): Promise<void> {
    for (const blob of blobsOf(version)) {
      uploads.delete(blob.uploadId)
      await disk.remove(new Set([...blob.parts.values(), ...blob.assembled]))
    }
  }

  async function deleteVersion(file: FileRecord, version: VersionRecord): Promise<void> {
    version.deleted = true
    open.delete(version)
    if (settings.deletedVersions === 'gone') {
      file.versions = file.versions.filter((other) => other !== version)
    }
    remember(file)
    await discard(version)
  }

  async function deleteFile(file: FileRecord): Promise<void> {
    file.deleted = true
    remember(file)
    await Promise.all(file.versions.map(discard))
  }

  function finishBlob({ file, version, blob }: Upload): void {
    blob.assembled = [...blob.parts].toSorted(([a], [b]) => a - b).map(([, part]) => part)
    blob.status = 'complete'
    uploads.delete(blob.uploadId)
    if (blobsOf(version).every(({ status }) => status === 'complete')) process(file, version)
    remember(file)
  }

  function process(file: FileRecord, version: VersionRecord): void {
    const known = blobsOf(version).every((blob) => blob.assembled.length <= 1)
    if (settings.processingMs === 0 && known) {
      for (const blob of blobsOf(version)) blob.md5 = blob.assembled[0]?.md5
      settle(version)
      return
    }
    version.status = 'queued'
    if (version.blobs !== undefined) version.blobs.file.status = 'queued'
    void processLater(file, version)
  }

  async function processLater(file: FileRecord, version: VersionRecord): Promise<void> {
    try {
      const hashing = settings.verifyContent ? blobsOf(version).map(md5Of) : []
      await Promise.all([
        sleep(settings.processingMs, undefined, { signal: closing, ref: false }),
        ...hashing,
      ])
    } catch {
      // Closing, or the version was deleted and its bytes went with it.
      return
    }
    if (version.deleted || file.deleted) return
    settle(version)
    remember(file)
  }

  function settle(version: VersionRecord): void {
    for (const blob of blobsOf(version)) {
      blob.status = arrivedAsDeclared(blob, settings.verifyContent) ? 'complete' : 'error'
    }
    const good = blobsOf(version).every(({ status }) => status === 'complete')
    version.status = good ? 'complete' : 'error'
  }

  async function md5Of(blob: BlobRecord): Promise<string> {
    const [only, ...others] = blob.assembled
    if (only !== undefined && others.length === 0) blob.md5 = only.md5
    blob.md5 ??= await disk.digest(blob.assembled, 'md5')
    return blob.md5
  }

  async function sha256Of(blob: BlobRecord): Promise<string> {
    const [only, ...others] = blob.assembled
    if (only !== undefined && others.length === 0) blob.sha256 ??= only.sha256
    blob.sha256 ??= await disk.digest(blob.assembled, 'sha256')
    return blob.sha256
  }

  function readView(file: FileRecord): FileView | undefined {
    if (settings.staleReadMs === 0) return file.deleted ? undefined : view(file)
    const cutoff = Date.now() - settings.staleReadMs
    const seen = file.history.findLast(({ at }) => at <= cutoff) ?? file.history[0]
    return seen?.view
  }

  return {
    files,
    uploads,
    maxOpenVersions: () => maxOpen,
    createFile,
    createVersion,
    deleteVersion,
    deleteFile,
    finishBlob,
    remember,
    view,
    readView,
    md5Of,
    sha256Of,
  }
}

export function blobsOf(version: VersionRecord): BlobRecord[] {
  return version.blobs === undefined ? [] : [version.blobs.file, version.blobs.signature]
}

export function sizeOf(parts: StoredPart[]): number {
  return parts.reduce((sum, { size }) => sum + size, 0)
}

/** Not complete, over all Files. */
export function openVersionsOf(files: Iterable<FileRecord>): { file: FileRecord; version: VersionRecord }[] {
  return [...files].flatMap((file) =>
    file.versions.filter((version) => isOpen(file, version)).map((version) => ({ file, version })),
  )
}

function isOpen(file: FileRecord, version: VersionRecord): boolean {
  return !file.deleted && !version.deleted && version.status !== 'complete'
}

function newBlob(
  fileType: FileType,
  declaredMd5: string,
  declaredSize: number,
  threshold: number,
): BlobRecord {
  const category = declaredSize >= threshold ? 'multipart' : 'simple'
  return {
    fileType,
    category,
    declaredMd5,
    declaredSize,
    status: 'waiting',
    uploadId: category === 'multipart' ? randomBytes(48).toString('base64url') : '',
    parts: new Map(),
    assembled: [],
    received: 0,
    md5: undefined,
    sha256: undefined,
  }
}

function arrivedAsDeclared(blob: BlobRecord, verifyContent: boolean): boolean {
  if (sizeOf(blob.assembled) !== blob.declaredSize) return false
  if (!verifyContent) return true
  return Buffer.from(blob.md5 ?? '', 'hex').toString('base64') === blob.declaredMd5
}

function iso(time: number): string {
  return new Date(time).toISOString()
}
