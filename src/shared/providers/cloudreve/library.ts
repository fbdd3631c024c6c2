import { Readable } from 'node:stream'
import { FatalError, Missing, Unreachable } from '#shared/errors.ts'
import { originOf } from '#shared/http/failure.ts'
import type { Download, ListQuery, RemoteFile, VersionNumber } from '../provider.ts'
import { openStored } from '../stored-bytes.ts'
import { infoWithEntities, listFolder, unlessAbsent, type ApiCall } from './site/api.ts'
import { SiteTrouble } from './site/codes.ts'
import type { Work } from './deps.ts'
import { deleteFile, deleteVersion, downloadUrl, setCurrentVersion } from './site/library-api.ts'
import { isFolder, uploadMarker, type FileInfo, type Listing } from './site/shapes.ts'
import { childOf, normaliseUri } from './site/uri.ts'

type RemoteVersion = RemoteFile['versions'][number]

const PAGE = 60
const MOST_PAGE = 100

/** What is in a folder, folders with a `/` behind their names; files show their current version only. */
export const listFiles = async (
  { api }: Work,
  { folder = 'cloudreve://my', tag, n = PAGE, offset = 0 }: ListQuery,
): Promise<readonly RemoteFile[]> => {
  if (tag !== undefined) throw new FatalError('bad-request', 'tag: files here are listed by folder only')
  const uri = normaliseUri(folder, 'folder')
  const range = { from: Math.max(0, offset), n: Math.max(1, n) }
  const found = await unlessAbsent(childrenOf(api, uri, range))
  if (found === undefined) throw new Missing(`there is no folder ${uri}`)
  return found.map((file) => remoteFile(childOf(uri, file.name), file))
}

/** Sites answer pages or, in large folders, a cursor for the next one: then there is no way but through all. */
const childrenOf = async (
  api: ApiCall,
  uri: string,
  { from, n }: { readonly from: number; readonly n: number },
): Promise<readonly FileInfo[]> => {
  const found: FileInfo[] = []
  let next: { readonly page: number; readonly cursor?: string } | undefined = { page: 0 }
  // Where in the folder the page begins.
  let start = 0
  while (next !== undefined && found.length < n) {
    const listing: Listing = await listFolder(api, { uri, pageSize: MOST_PAGE, ...next })
    found.push(...listing.files.slice(Math.max(0, from - start)))
    const size = listing.pagination.page_size > 0 ? listing.pagination.page_size : MOST_PAGE
    next = pageAfter(listing, { page: next.page, size, from })
    start = next?.cursor === undefined ? (next?.page ?? 0) * size : start + listing.files.length
  }
  return found.slice(0, n)
}

const pageAfter = (
  { files, pagination }: Listing,
  { page, size, from }: { readonly page: number; readonly size: number; readonly from: number },
): { readonly page: number; readonly cursor?: string } | undefined => {
  if (pagination.next_token !== '') return { page, cursor: pagination.next_token }
  if (pagination.is_cursor || files.length < size) return undefined
  return { page: Math.max(page + 1, Math.floor(from / size)) }
}

export const showFile = async (work: Work, remoteId: string): Promise<RemoteFile> => {
  const uri = normaliseUri(remoteId, 'the file')
  return remoteFile(uri, await mustRead(work, uri))
}

const mustRead = async ({ api }: Work, uri: string): Promise<FileInfo> => {
  const file = await infoWithEntities(api, uri)
  if (file === undefined) throw new Missing(`there is nothing at ${uri}`)
  return file
}

const remoteFile = (id: string, file: FileInfo): RemoteFile =>
  isFolder(file)
    ? { id, name: `${file.name}/`, versions: [] }
    : { id, name: file.name, versions: versionsOf(file) }

/** Newest first. An unfinished upload is called by its session; all else by its entity. */
const versionsOf = (file: FileInfo): readonly RemoteVersion[] => {
  const marker = uploadMarker(file)
  const uploading = marker === undefined ? [] : [{ number: marker, status: 'uploading' }]
  // Without content of its own a placeholder is nothing but the upload.
  if (marker !== undefined && file.size === 0) return uploading
  const current = { id: file.primary_entity, size: file.size, created_at: file.updated_at }
  const entities = contentsOf(file)
  // Listings have no entities.
  const shown = entities.length > 0 ? entities : [current]
  return [...uploading, ...shown.map((entity) => versionOf(file, entity))]
}

interface Content {
  readonly id: string
  readonly size: number
  readonly created_at: string
}

const versionOf = (file: FileInfo, { id, size, created_at: createdAt }: Content): RemoteVersion => ({
  number: id,
  status: id === file.primary_entity ? 'current' : 'stored',
  size,
  ...(createdAt !== '' && { createdAt }),
})

/** The versions of its content, newest first, without thumbnails and the like. */
const contentsOf = (file: FileInfo): readonly Content[] =>
  (file.extended_info?.entities ?? [])
    .filter(({ type }) => type === 0)
    .toSorted((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))

/** The bytes of one version, wherever they are kept; nothing of the account's goes there. */
export const downloadVersion = async (
  work: Work,
  which: { readonly remoteId: string; readonly version: VersionNumber },
): Promise<Download> => {
  const uri = normaliseUri(which.remoteId, 'the file')
  const file = await mustRead(work, uri)
  if (hasNoContent(file, which.version)) return { size: 0, fileName: file.name, body: Readable.from([]) }
  const version = mustHave(file, uri, which.version)
  const url = await downloadUrl(work.api, { uri, version: version.id })
  const answer = await openStored(work, url)
  const { body } = answer
  if (body === undefined) throw new Unreachable(originOf(url), 'GET the stored bytes → no body')
  const length = Number(answer.header('content-length') ?? Number.NaN)
  if (!Number.isNaN(length) && length !== version.size) {
    body.destroy()
    // A refusal of the site's comes with status 200, and would be taken for the file.
    const [got, has] = [String(length), String(version.size)]
    throw new SiteTrouble(`GET the stored bytes → ${got} bytes, but the version has ${has}`)
  }
  return { size: version.size, fileName: file.name, body }
}

/** A file that was made empty has no entity at all, and nothing that could be asked for. */
const hasNoContent = (file: FileInfo, number: VersionNumber): boolean =>
  file.size === 0 && String(number) === file.primary_entity && contentsOf(file).length === 0

const mustHave = (file: FileInfo, uri: string, number: VersionNumber): Content => {
  const version = contentsOf(file).find(({ id }) => id === String(number))
  if (version !== undefined) return version
  if (uploadMarker(file) === String(number)) throw unfinished(uri)
  throw new Missing(`${uri} has no version ${String(number)}`)
}

const unfinished = (uri: string): FatalError =>
  new FatalError(
    'refused',
    `there is an unfinished upload at ${uri}: cancel it where it runs, or upload to the same place again, which ` +
      "removes what is left of it as the account's onForeign says",
  )

/**
 * Moves a file to the trash of the site, or removes one version of it for good; when that is the current one, the
 * newest other becomes current first.
 */
export const removeRemote = async (
  work: Work,
  which: { readonly remoteId: string; readonly version?: VersionNumber },
): Promise<void> => {
  const uri = normaliseUri(which.remoteId, 'the file')
  const file = await mustRead(work, uri)
  if (isFolder(file)) throw new FatalError('refused', `${uri} is a folder, and only files are removed`)
  if (uploadMarker(file) !== undefined) throw unfinished(uri)
  if (which.version === undefined) return deleteFile(work.api, uri)
  const { id: version } = mustHave(file, uri, which.version)
  if (version === file.primary_entity) {
    const other = contentsOf(file).find(({ id }) => id !== version)
    if (other === undefined) {
      throw new FatalError('refused', `${version} is the only version of ${uri}: remove the file instead`)
    }
    await setCurrentVersion(work.api, { uri, version: other.id })
  }
  await deleteVersion(work.api, { uri, version })
}
