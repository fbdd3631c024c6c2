import { FatalError, Missing, Unreachable } from '#shared/errors.ts'
import { originOf } from '#shared/http/failure.ts'
import type { Download, ListQuery, RemoteFile, VersionNumber } from '../provider.ts'
import { nextHop, openStored } from '../stored-bytes.ts'
import { deleteFile, deleteFileVersion, downloadFileVersion, getFiles } from './api.ts'
import { noSuchFile, readFile, undefinedIf404 } from './create-file.ts'
import type { Work } from './deps.ts'
import { hexOf, realVersions, versionOf, type FileVersion, type VrchatFile } from './files.ts'

const PAGE = 60
const MOST_PAGE = 100

export const listFiles = async (
  { api }: Work,
  { folder, tag, n = PAGE, offset = 0 }: ListQuery,
): Promise<readonly RemoteFile[]> => {
  if (folder !== undefined)
    throw new FatalError('bad-request', 'folder: VRChat has none; list by tag instead')
  const query = { tag, n: Math.min(Math.max(1, n), MOST_PAGE), offset: Math.max(0, offset) }
  return (await getFiles(api, query)).map(remoteFile)
}

export const showFile = async (work: Work, fileId: string): Promise<RemoteFile> =>
  remoteFile(await mustRead(work, fileId))

const mustRead = async (work: Work, fileId: string): Promise<VrchatFile> => {
  const file = await readFile(work, fileId)
  if (file === undefined) throw noSuchFile(fileId)
  return file
}

const remoteFile = (file: VrchatFile): RemoteFile => ({
  id: file.id,
  name: file.name,
  versions: realVersions(file).map((version) => ({
    number: version.version,
    status: version.status,
    ...(version.file && { size: version.file.sizeInBytes }),
    ...(version.file?.md5 !== undefined && version.file.md5 !== '' && { md5: hexOf(version.file.md5) }),
    ...(version.created_at !== 'none' && { createdAt: version.created_at }),
  })),
})

/** The bytes of one complete version; redirects are followed without anything of the account's. */
export const downloadVersion = async (
  work: Work,
  { remoteId, version: named }: { readonly remoteId: string; readonly version: VersionNumber },
): Promise<Download> => {
  const number = versionNumber(named)
  const file = await mustRead(work, remoteId)
  const version = mustHave(file, number)
  if (version.status !== 'complete') {
    throw new FatalError('refused', `version ${String(number)} of ${remoteId} is ${version.status}`)
  }
  const first = await downloadFileVersion(work.api, remoteId, number)
  const { baseUrl } = work.api
  const answer = first.status < 300 ? first : await openStored(work, nextHop(first, baseUrl))
  const { body } = answer
  if (body === undefined) throw new Unreachable(originOf(baseUrl), 'GET the stored bytes → no body')
  const size = Number(answer.header('content-length') ?? Number.NaN)
  return {
    ...(!Number.isNaN(size) && { size }),
    fileName: version.file?.fileName ?? `${file.name}${file.extension}`,
    body,
  }
}

/** VRChat counts its versions; anything else is none of them. */
const versionNumber = (named: VersionNumber): number => {
  const number = Number(named)
  if (Number.isInteger(number) && number > 0) return number
  throw new FatalError('bad-request', `${JSON.stringify(named)} is no version: VRChat counts them from 1`)
}

const mustHave = (file: VrchatFile, number: number): FileVersion => {
  const version = versionOf(file, number)
  if (version === undefined) throw new Missing(`${file.id} has no version ${String(number)}`)
  return version
}

/** Removes a File, or its newest version. */
export const removeRemote = async (
  work: Work,
  { remoteId, version: named }: { readonly remoteId: string; readonly version?: VersionNumber },
): Promise<void> => {
  const number = named === undefined ? undefined : versionNumber(named)
  const file = await mustRead(work, remoteId)
  if (number === undefined) {
    await deleteFile(work.api, remoteId).catch(undefinedIf404)
    return
  }
  mustHave(file, number)
  const newest = realVersions(file)[0]?.version
  if (newest !== number) {
    throw new FatalError(
      'refused',
      `version ${String(number)} is not the newest: VRChat removes only that, which is ${String(newest)} now`,
    )
  }
  await deleteFileVersion(work.api, remoteId, number).catch(undefinedIf404)
}
