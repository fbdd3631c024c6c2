import { FatalError, Missing, Unreachable } from '#shared/errors.ts'
import { failureOf, originOf } from '#shared/http/failure.ts'
import type { HttpAnswer } from '#shared/http.ts'
import type { Download, RemoteFile } from '../provider.ts'
import { deleteFile, deleteFileVersion, downloadFileVersion, getFiles } from './api.ts'
import { noSuchFile, readFile, undefinedIf404 } from './create-file.ts'
import type { Work } from './deps.ts'
import { hexOf, realVersions, versionOf, type FileVersion, type VrchatFile } from './files.ts'

const MOST_HOPS = 5
const PAGE = 60
const MOST_PAGE = 100

export const listFiles = async (
  { api }: Work,
  { tag, n = PAGE, offset = 0 }: { readonly tag?: string; readonly n?: number; readonly offset?: number },
): Promise<readonly RemoteFile[]> =>
  (await getFiles(api, { tag, n: Math.min(Math.max(1, n), MOST_PAGE), offset: Math.max(0, offset) })).map(
    remoteFile,
  )

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
  { remoteId, version: number }: { readonly remoteId: string; readonly version: number },
): Promise<Download> => {
  const file = await mustRead(work, remoteId)
  const version = mustHave(file, number)
  if (version.status !== 'complete') {
    throw new FatalError('refused', `version ${String(number)} of ${remoteId} is ${version.status}`)
  }
  let answer = await downloadFileVersion(work.api, remoteId, number)
  let from = work.api.baseUrl
  for (let hops = 0; answer.status >= 300; hops++) {
    from = nextHop(answer, from, hops)
    answer = await openStored(work, from)
  }
  const { body } = answer
  if (body === undefined) throw new Unreachable(originOf(from), 'GET the stored bytes → no body')
  const size = Number(answer.header('content-length') ?? Number.NaN)
  return {
    ...(!Number.isNaN(size) && { size }),
    fileName: version.file?.fileName ?? `${file.name}${file.extension}`,
    body,
  }
}

/** Up to its headers within the governor, which so hears of a storage that is away or asks for a pause. */
const openStored = ({ account, storage, signal }: Work, url: string): Promise<HttpAnswer> =>
  account.governor.call(signal, async (signal) => {
    const request = { method: 'GET', url, what: 'GET the stored bytes', stream: true } as const
    const answer = await storage.send(request, signal)
    if (answer.status >= 400) throw failureOf(answer, request)
    return answer
  })

const nextHop = (answer: HttpAnswer, from: string, hops: number): string => {
  answer.body?.destroy()
  const next = URL.parse(answer.header('location') ?? '', from)
  if (next !== null && hops < MOST_HOPS) return next.href
  throw new Unreachable(
    originOf(from),
    `GET the stored bytes → ${String(answer.status)}, and no way on from there`,
  )
}

const mustHave = (file: VrchatFile, number: number): FileVersion => {
  const version = versionOf(file, number)
  if (version === undefined) throw new Missing(`${file.id} has no version ${String(number)}`)
  return version
}

/** Removes a File, or its newest version. */
export const removeRemote = async (
  work: Work,
  { remoteId, version: number }: { readonly remoteId: string; readonly version?: number },
): Promise<void> => {
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
