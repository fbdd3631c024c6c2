import { buffer } from 'node:stream/consumers'
import type { Core } from './core.ts'
import type { BlobState, BlobTotals, FileState, Totals } from './fake-vrchat.ts'
import type { BlobRecord, FileRecord, FileType, VersionRecord } from './file-records.ts'
import { blobsOf, openVersionsOf, sizeOf } from './file-store.ts'
import type { StoredPart } from '../http/part-disk.ts'

/** Snapshots of the fake's state, for tests and for the control interface. */
export function filesState({ store }: Core): FileState[] {
  return existing(store.files.values()).map((file) => ({
    id: file.id,
    owner: file.owner,
    name: file.name,
    mimeType: file.mimeType,
    extension: file.extension,
    tags: file.tags,
    versions: file.versions.map(({ version, status, deleted, createdAt, blobs }) => ({
      version,
      status,
      deleted,
      createdAt,
      file: blobs && blobState(blobs.file),
      signature: blobs && blobState(blobs.signature),
    })),
  }))
}

function blobState(blob: BlobRecord): BlobState {
  return {
    category: blob.category,
    status: blob.status,
    declaredMd5: blob.declaredMd5,
    declaredSize: blob.declaredSize,
    uploadId: blob.uploadId,
    parts: [...blob.parts].map(([partNumber, { size, md5 }]) => ({ partNumber, size, md5 })),
    received: blob.received,
    size: sizeOf(blob.assembled),
    md5: blob.md5 === undefined ? undefined : Buffer.from(blob.md5, 'hex').toString('base64'),
    sha256: blob.sha256 ?? (blob.assembled.length === 1 ? blob.assembled[0]?.sha256 : undefined),
  }
}

export function findBlob({ store }: Core, fileId: string, version: number, fileType: FileType): BlobRecord {
  const record = store.files.get(fileId)?.versions.find((other) => other.version === version)
  const blob = record?.blobs?.[fileType]
  if (blob === undefined) throw new Error(`there is no ${fileType} of ${fileId} version ${version}`)
  return blob
}

export async function bytesOf({ disk }: Core, blob: BlobRecord): Promise<Buffer> {
  return buffer(disk.read(storedParts(blob)))
}

function storedParts({ assembled, parts }: BlobRecord): StoredPart[] {
  if (assembled.length > 0) return assembled
  return [...parts].toSorted(([a], [b]) => a - b).map(([, part]) => part)
}

/** Reads every finished blob once for its digests, so it takes its time on large ones. */
export async function totals(core: Core): Promise<Totals> {
  const files = existing(core.store.files.values())
  const blobs: BlobTotals[] = []
  for (const file of files) {
    for (const version of file.versions) {
      for (const blob of blobsOf(version)) blobs.push(await blobTotals(core, { file, version, blob }))
    }
  }
  const requests = Object.entries(Object.groupBy(core.ledger.entries, ({ operation }) => operation))
  return {
    blobs,
    files: files.length,
    completeVersions: files.flatMap(({ versions }) => versions).filter(isUploaded).length,
    openVersions: openVersionsOf(files).length,
    maxOpenVersions: core.store.maxOpenVersions(),
    receivedBytes: sum(
      core.ledger.entries.filter(({ operation }) => operation === 'putPart').map(({ bytes }) => bytes),
    ),
    declaredBytes: sum(blobs.map(({ declaredSize }) => declaredSize)),
    storedBytes: sum(blobs.map(({ storedBytes }) => storedBytes)),
    requests: Object.fromEntries(requests.map(([operation, entries]) => [operation, entries.length])),
    violations: core.violations.length,
  }
}

async function blobTotals(
  { store }: Core,
  { file, version, blob }: { file: FileRecord; version: VersionRecord; blob: BlobRecord },
): Promise<BlobTotals> {
  const finished = blob.assembled.length > 0 && !version.deleted
  return {
    fileId: file.id,
    name: file.name,
    version: version.version,
    fileType: blob.fileType,
    category: blob.category,
    status: blob.status,
    versionStatus: version.status,
    declaredSize: blob.declaredSize,
    storedBytes: sizeOf(blob.assembled),
    receivedBytes: blob.received,
    md5: finished ? Buffer.from(await store.md5Of(blob), 'hex').toString('base64') : undefined,
    sha256: finished ? await store.sha256Of(blob) : undefined,
  }
}

function isUploaded({ version, status, deleted }: VersionRecord): boolean {
  return version > 0 && status === 'complete' && !deleted
}

function existing(files: Iterable<FileRecord>): FileRecord[] {
  return [...files].filter(({ deleted }) => !deleted)
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
