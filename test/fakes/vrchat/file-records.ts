import type { StoredPart } from '../http/part-disk.ts'

export type FileType = 'file' | 'signature'
export type Status = 'waiting' | 'queued' | 'complete' | 'error'

export interface BlobRecord {
  fileType: FileType
  category: 'simple' | 'multipart'
  /** Base64 as declared; any text, the service does not check it at this point. */
  declaredMd5: string
  declaredSize: number
  status: Status
  /** Empty for simple. */
  uploadId: string
  parts: Map<number, StoredPart>
  /** In order, once finished. */
  assembled: StoredPart[]
  /** Body bytes that came for this blob, re-sent and refused ones too. */
  received: number
  md5: string | undefined
  sha256: string | undefined
}

export interface VersionRecord {
  version: number
  createdAt: string
  status: Status
  deleted: boolean
  /** Version 0 has none. */
  blobs: Record<FileType, BlobRecord> | undefined
}

export interface FileRecord {
  id: string
  ownerId: string
  owner: string
  name: string
  mimeType: string
  extension: string
  tags: string[]
  createdAt: number
  deleted: boolean
  versions: VersionRecord[]
  /** Numbers only grow: one that was deleted never comes again. */
  nextVersion: number
  /** What readers saw at which time; undefined for "not there". */
  history: { at: number; view: FileView | undefined }[]
}

interface DataView {
  fileName: string
  url: string
  md5: string
  sizeInBytes: number
  status: string
  category: string
  uploadId: string
}

interface VersionView {
  created_at: string
  status: Status
  version: number
  deleted?: true
  file?: DataView
  signature?: DataView
  delta?: DataView
}

export interface FileView {
  id: string
  name: string
  extension: string
  mimeType: string
  ownerId: string
  tags: string[]
  versions: VersionView[]
}

export interface ViewOptions {
  legacy: boolean
  apiUrl: string
  storageUrl: string
}

/** A File as the API shows it. */
export function fileView(file: FileRecord, options: ViewOptions): FileView {
  return {
    id: file.id,
    name: file.name,
    extension: file.extension,
    mimeType: file.mimeType,
    ownerId: file.ownerId,
    tags: [...file.tags],
    versions: file.versions.map((version) => versionView(file, version, options)),
  }
}

function versionView(file: FileRecord, record: VersionRecord, options: ViewOptions): VersionView {
  const { version, status, blobs } = record
  const initialDate = options.legacy && version === 0
  const view: VersionView = { created_at: initialDate ? 'none' : record.createdAt, status, version }
  if (record.deleted) view.deleted = true
  if (blobs === undefined) return view
  view.file = dataView(file, version, blobs.file, options)
  view.signature = dataView(file, version, blobs.signature, options)
  if (options.legacy) view.delta = noDelta(file, version, options)
  return view
}

function dataView(file: FileRecord, version: number, blob: BlobRecord, options: ViewOptions): DataView {
  const fileName = blobFileName(file, version, blob.fileType)
  return {
    fileName,
    url: options.legacy
      ? storageUrl(options, fileName)
      : `${options.apiUrl}/file/${file.id}/${version}/${blob.fileType}`,
    md5: blob.declaredMd5,
    sizeInBytes: blob.declaredSize,
    status: blob.status,
    category: blob.category,
    uploadId: blob.uploadId,
  }
}

function noDelta(file: FileRecord, version: number, options: ViewOptions): DataView {
  const fileName = `${blobFileName(file, version, 'file')}.delta`
  const url = storageUrl(options, fileName)
  return { fileName, url, md5: '', sizeInBytes: 0, status: 'none', category: 'queued', uploadId: '' }
}

function storageUrl({ storageUrl }: ViewOptions, fileName: string): string {
  return `${storageUrl}/files.vrchat.cloud/${fileName}`
}

/** The name becomes a slug, as in `Avatar-Test.file_….1.unitypackage.signature`. */
export function blobFileName(file: FileRecord, version: number, fileType: FileType): string {
  const slug = file.name.replaceAll(/[^\w]+/g, '-')
  const suffix = fileType === 'signature' ? '.signature' : ''
  return `${slug}.${file.id}.${version}${file.extension}${suffix}`
}
