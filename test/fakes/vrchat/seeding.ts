import { createHash } from 'node:crypto'
import type { Core } from './core.ts'
import type { SeedFile, SeedVersion } from './fake-vrchat.ts'
import type { BlobRecord, FileType, VersionRecord } from './file-records.ts'
import { type Declared, blobsOf } from './file-store.ts'

/** Puts Files and versions there that no client of this run made. */
export function seedFile({ accounts, store }: Core, seed: SeedFile): string {
  const owner = seed.owner === undefined ? [...accounts.byName.values()][0] : accounts.byName.get(seed.owner)
  if (owner === undefined) throw new Error(`there is no user ${seed.owner ?? 'yet'} to own the file`)
  const fields = {
    name: seed.name ?? 'Seeded',
    mimeType: seed.mimeType ?? 'application/x-world',
    extension: seed.extension ?? '.vrcw',
    tags: seed.tags,
  }
  return store.createFile(owner, fields, seed.id).id
}

export async function seedVersion({ store, disk }: Core, fileId: string, seed: SeedVersion): Promise<number> {
  const file = store.files.get(fileId)
  if (file === undefined) throw new Error(`there is no file ${fileId}`)
  const bytes = seedBytes(seed)
  file.nextVersion = Math.max(file.nextVersion, seed.version ?? 0)
  const version = store.createVersion(file, declare(bytes, seed))
  for (const blob of finishedBlobs(version, seed)) {
    const part = await disk.receive(once(bytes[blob.fileType]), { sha256: true })
    blob.parts.set(1, part)
    blob.assembled = [part]
    blob.status = 'complete'
    store.uploads.delete(blob.uploadId)
  }
  for (const [index, part] of (seed.parts ?? []).entries()) {
    version.blobs?.file.parts.set(index + 1, await disk.receive(once(part)))
  }
  setStatus(version, seed.status ?? 'complete')
  store.remember(file)
  return version.version
}

function seedBytes({ file, signature, parts }: SeedVersion): Record<FileType, Uint8Array> {
  return {
    file: file ?? Buffer.concat(parts ?? [Buffer.from('seeded')]),
    signature: signature ?? Buffer.from('signature'),
  }
}

function declare({ file, signature }: Record<FileType, Uint8Array>, seed: SeedVersion): Declared {
  return {
    fileMd5: seed.fileMd5 ?? md5(file),
    fileSizeInBytes: seed.fileSizeInBytes ?? file.length,
    signatureMd5: seed.signatureMd5 ?? md5(signature),
    signatureSizeInBytes: seed.signatureSizeInBytes ?? signature.length,
  }
}

function finishedBlobs(version: VersionRecord, { status, finished = [] }: SeedVersion): BlobRecord[] {
  if (status !== 'waiting') return blobsOf(version)
  return blobsOf(version).filter(({ fileType }) => finished.includes(fileType))
}

function setStatus(version: VersionRecord, status: BlobRecord['status']): void {
  version.status = status
  if (version.blobs !== undefined && status !== 'waiting') version.blobs.file.status = status
}

async function* once(bytes: Uint8Array): AsyncGenerator<Buffer> {
  yield Buffer.from(bytes)
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64')
}
