import { z } from 'zod'
import type { Slice } from '../../provider.ts'
import { codes, SiteRefusal } from './codes.ts'
import {
  capacity as capacityShape,
  fileInfo,
  listing,
  uploadSession,
  type FileInfo,
  type Listing,
  type UploadSession,
} from './shapes.ts'
import type { ApiRequest } from './wire.ts'

/** Sends one request as the account and answers the data of a success; everything else is thrown. */
export interface ApiCall {
  <T>(request: ApiRequest, data: z.ZodType<T>): Promise<T>
  /** Of the site, without `/api/v4`. */
  readonly baseUrl: string
  /** Names the token in use without telling it: another one says that the login was renewed meanwhile. */
  readonly tokenId: () => string | undefined
  /** The server's version, such as `4.18.0` or `4.18.0-pro`; asked for at most once in ten minutes and site. */
  readonly version: () => Promise<string>
}

/** Sizes in bytes, `last_modified` in ms since 1970. */
export interface CreateSession {
  readonly uri: string
  readonly size: number
  readonly last_modified?: number
  readonly mime_type?: string
  readonly policy_id?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly entity_type?: 'version' | 'live_photo'
  readonly encryption_supported?: readonly string[]
  /** Id of the entity that is replaced. be:service/explorer/upload.go@0bb0ab83 reads it from JSON all the same. */
  readonly previous?: string
}

/** The names by which a site knows its stores' callbacks, and the method that each wants. */
export type CallbackKind = 's3' | 'ks3' | 'cos' | 'onedrive' | 'obs'

/** Successes that say nothing more. */
export const nothing = z.unknown()

const query = (values: Readonly<Record<string, string | undefined>>): string => {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) if (value !== undefined) query.set(key, value)
  return query.toString()
}

/** What `work` answers, or undefined when the site says that there is nothing there. */
export const unlessAbsent = async <T>(work: Promise<T>): Promise<T | undefined> => {
  try {
    return await work
  } catch (error) {
    if (error instanceof SiteRefusal && ABSENT.has(error.code)) return undefined
    throw error
  }
}

const ABSENT: ReadonlySet<number> = new Set([codes.parentMissing, codes.fileMissing, codes.notFound])

/** Of the user's quota, in bytes. */
export const capacity = (api: ApiCall): Promise<z.infer<typeof capacityShape>> =>
  api({ method: 'GET', path: '/user/capacity', repeat: true }, capacityShape)

/** Whoever has no space left is told how much that is. */
const sayingQuota = async <T>(api: ApiCall, work: Promise<T>): Promise<T> => {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof SiteRefusal) || error.code !== codes.quota) throw error
    const { total, used } = await capacity(api)
    const { code, correlationId, data } = error
    const message = `${error.message}; ${String(used)} of ${String(total)} bytes are used`
    throw new SiteRefusal(error.class, message, { code, correlationId, data })
  }
}

/**
 * Reserves the place and its quota, and leaves a placeholder there that everybody sees. Not idempotent.
 * be:service/explorer/upload.go@0bb0ab83
 */
export const createSession = (api: ApiCall, json: CreateSession): Promise<UploadSession> => {
  const request = { method: 'PUT', path: '/file/upload', json, paid: true, largest: MOST_URLS } as const
  return sayingQuota(api, api(request, uploadSession))
}

/** Room for a URL of some KiB for each of 10,000 parts, in bytes. */
const MOST_URLS = 64 * 1024 * 1024

/**
 * Removes an unfinished upload, and its placeholder; does nothing to one that is finished. Answers whether the place
 * was there at all. be:pkg/filemanager/manager/upload.go@0bb0ab83
 */
export const deleteSession = async (
  api: ApiCall,
  json: { readonly id: string; readonly uri: string },
): Promise<boolean> => {
  const removed = api({ method: 'DELETE', path: '/file/upload', json, paid: true }, nothing)
  return (await unlessAbsent(removed.then(() => true))) ?? false
}

/**
 * Sends one chunk, numbered from 0, to a policy that is local or relayed. An outdated token is code 40011 as well:
 * see `ApiCall.tokenId`. be:service/explorer/upload.go@0bb0ab83
 */
export const sendChunk = async (
  api: ApiCall,
  chunk: { readonly sessionId: string; readonly index: number; readonly body: Slice },
  totalMs: number,
): Promise<void> => {
  const index = String(chunk.index)
  const path = `/file/upload/${encodeURIComponent(chunk.sessionId)}/${index}`
  const what = `POST /file/upload chunk ${index}`
  const { body } = chunk
  await api({ method: 'POST', path, what, body, totalMs, paid: true, ungoverned: true }, nothing)
}

/** Makes a file, or its next version, in one request. be:service/explorer/file.go@0bb0ab83 */
export const putContent = (
  api: ApiCall,
  content: { readonly uri: string; readonly previous?: string; readonly body: Slice },
  totalMs: number,
): Promise<FileInfo> => {
  const { uri, previous, body } = content
  const path = `/file/content?${query({ uri, previous })}`
  const request = { method: 'PUT', path, body, totalMs, paid: true, ungoverned: true } as const
  return sayingQuota(api, api(request, fileInfo))
}

/** What is at a place; undefined when there is nothing. be:service/explorer/file.go@0bb0ab83 */
export const info = (api: ApiCall, uri: string): Promise<FileInfo | undefined> => askInfo(api, { uri })

/** The same with all entities, which the site has to look for. */
export const infoWithEntities = (api: ApiCall, uri: string): Promise<FileInfo | undefined> =>
  askInfo(api, { uri, extended: 'true' })

const askInfo = (api: ApiCall, which: Readonly<Record<string, string>>): Promise<FileInfo | undefined> =>
  unlessAbsent(api({ method: 'GET', path: `/file/info?${query(which)}`, repeat: true }, fileInfo))

/**
 * One page of a folder, pages from 0; with a cursor the page is whatever the cursor says. Throws when it is not
 * there. be:service/explorer/file.go@0bb0ab83
 */
export const listFolder = (
  api: ApiCall,
  which: {
    readonly uri: string
    readonly page?: number
    readonly pageSize: number
    readonly cursor?: string
  },
): Promise<Listing> => {
  const values = {
    uri: which.uri,
    page: String(which.page ?? 0),
    page_size: String(which.pageSize),
    next_page_token: which.cursor,
  }
  return api({ method: 'GET', path: `/file?${query(values)}`, repeat: true }, listing)
}

/** Makes an empty file or a folder; an existing one of the same type is answered unless `err_on_conflict`. */
export const createFile = (
  api: ApiCall,
  json: {
    readonly uri: string
    readonly type: 'file' | 'folder'
    readonly err_on_conflict?: boolean
    readonly metadata?: Readonly<Record<string, string>>
  },
): Promise<FileInfo> => api({ method: 'POST', path: '/file/create', json, paid: true }, fileInfo)

/**
 * Tells the site that a store has all the bytes, as the session's secret allows; no login is needed. The session is
 * gone afterwards, so the same again is code 401 or 40011: look at the file then.
 * be:routers/controllers/callback.go@0bb0ab83
 */
export const callback = async (
  api: ApiCall,
  {
    kind,
    method,
    sessionId,
    secret,
  }: {
    readonly kind: CallbackKind
    readonly method: 'GET' | 'POST'
    readonly sessionId: string
    readonly secret: string
  },
): Promise<void> => {
  const path = `/callback/${kind}/${encodeURIComponent(sessionId)}/${encodeURIComponent(secret)}`
  const what = `${method} /callback/${kind}`
  await api({ method, path, what, anonymous: true, repeat: true, secrets: [secret] }, nothing)
}
