import type { Confirmation, UploadView, Version } from '../provider.ts'
import { readFile } from './create-file.ts'
import { lookFor, type Work } from './deps.ts'
import { base64Of, hexOf, newestComplete, versionOf, type FileVersion, type VrchatFile } from './files.ts'
import type { SessionState } from './session.ts'

const MIB = 1024 * 1024

/** Reads back whether the version is complete, is what was declared, and is the current one. */
export const confirmVersion = async (
  work: Work,
  state: SessionState,
  upload: UploadView,
): Promise<Confirmation> => {
  const seen = await lookFor(work, async () => {
    const file = await readFile(work, state.fileId)
    const version = file && versionOf(file, state.version)
    return version && { file, version }
  })
  if (seen === undefined) return broken(`version ${String(state.version)} of ${state.fileId} is gone`)
  return judge(seen, upload, work.now())
}

const judge = (
  { file, version }: { readonly file: VrchatFile; readonly version: FileVersion },
  upload: UploadView,
  now: number,
): Confirmation => {
  const statuses = statusesOf(version)
  if (statuses.includes('error'))
    return broken(`VRChat gave the version status error: ${statuses.join(', ')}`)
  if (statuses.some((status) => status !== 'complete')) {
    return { kind: 'pending', why: `version, file and signature are ${statuses.join(', ')}` }
  }
  const current = newestComplete(file)?.version ?? 0
  if (current > version.version) return broken(`version ${String(current)} was put on top of it`)
  const difference = differenceOf(version, upload)
  if (difference !== undefined) return broken(`VRChat shows another ${difference} than was sent`)
  return { kind: 'complete', version: ledgerVersion(file, version, now) }
}

const statusesOf = ({ status, file, signature }: FileVersion): readonly string[] => [
  status,
  file?.status ?? 'none',
  signature?.status ?? 'none',
]

const broken = (why: string): Confirmation => ({ kind: 'broken', why })

// Old answers leave an MD5 out; one that is there has to be the one we declared.
const differenceOf = ({ file, signature }: FileVersion, { size, hashes }: UploadView): string | undefined => {
  if (file?.sizeInBytes !== size) return 'size'
  if (hashes === undefined) return undefined
  if (differs(file.md5, hashes.md5)) return 'MD5'
  if (hashes.signature === undefined) return undefined
  if (signature?.sizeInBytes !== hashes.signature.size) return 'signature size'
  return differs(signature.md5, hashes.signature.md5) ? 'signature MD5' : undefined
}

const differs = (base64: string | undefined, hex: string): boolean =>
  base64 !== undefined && base64 !== '' && base64 !== base64Of(hex)

/** A complete version as the ledger keeps it. */
export const ledgerVersion = (file: VrchatFile, version: FileVersion, completedAt: number): Version => ({
  remoteId: file.id,
  number: version.version,
  size: version.file?.sizeInBytes ?? 0,
  md5: hexOf(version.file?.md5 ?? ''),
  ...(version.file !== undefined && version.file.url !== '' && { url: version.file.url }),
  completedAt,
})

/** As long as the legacy SDK waits: 120 s for each 50 MiB, within 120 and 600 s. */
export const confirmWithinMs = (size: number): number =>
  Math.min(Math.max(Math.ceil((120 * size) / (50 * MIB)), 120), 600) * 1000
