import type { z } from 'zod'
import type { HttpAnswer } from '#shared/http.ts'
import { readSuccess } from './answers.ts'
import { file, files, removedFile, uploadStatus, uploadUrl, type FileType, type VrchatFile } from './files.ts'
import type { Declared } from './session.ts'
import { asked, type ApiRequest } from './wire.ts'

/** Sends one request as the account and answers a success; everything else is thrown. */
export interface ApiCall {
  (request: ApiRequest): Promise<HttpAnswer>
  readonly baseUrl: string
}

export interface CreateFileRequest {
  readonly name: string
  readonly mimeType: string
  readonly extension: string
  readonly tags?: readonly string[]
}

export interface FinishRequest {
  /** Multipart only: unquoted, in part order, equal ones too. */
  readonly etags?: readonly string[]
  /** @deprecated Required by the specification, never sent by the official SDK, and so not by us. */
  readonly maxParts?: string
  /** @deprecated As `maxParts`. */
  readonly nextPartNumber?: string
}

/** One of a version's byte sequences. */
export interface DataId {
  readonly fileId: string
  readonly version: number
  readonly fileType: FileType
}

const parsed = async <T>(api: ApiCall, request: ApiRequest, schema: z.ZodType<T>): Promise<T> => {
  const read = (answer: HttpAnswer): T => readSuccess(answer, asked(api.baseUrl, request), schema)
  return read(await api({ ...request, check: read }))
}

const pathOf = ({ fileId, version, fileType }: DataId): string =>
  `/file/${encodeURIComponent(fileId)}/${String(version)}/${fileType}`

/**
 * Makes a File with nothing but version 0. Not idempotent.
 * vrchatapi/specification:openapi/components/paths/files.yaml@b7fff1a
 */
export const createFile = (api: ApiCall, json: CreateFileRequest): Promise<VrchatFile> =>
  parsed(api, { method: 'POST', path: '/file', json }, file)

/** vrchatapi/specification:openapi/components/paths/files.yaml@b7fff1a */
export const getFile = (api: ApiCall, fileId: string): Promise<VrchatFile> =>
  parsed(api, { method: 'GET', path: `/file/${encodeURIComponent(fileId)}` }, file)

/** At most 100 at a time. vrchatapi/specification:openapi/components/paths/files.yaml@b7fff1a */
export const getFiles = (
  api: ApiCall,
  {
    tag,
    n = 60,
    offset = 0,
  }: { readonly tag?: string | undefined; readonly n?: number; readonly offset?: number },
): Promise<VrchatFile[]> => {
  const query = new URLSearchParams({
    ...(tag !== undefined && { tag }),
    n: String(n),
    offset: String(offset),
  })
  return parsed(api, { method: 'GET', path: `/files?${query.toString()}` }, files)
}

/**
 * Declares the next version; answers the whole File. Refused while another one is unfinished.
 * u-Kotovsky/Spout2VRCEditor:Packages/com.vrchat.base/Editor/VRCSDK/Dependencies/VRChat/API/VRCApi.cs@98d8285
 */
export const createFileVersion = (api: ApiCall, fileId: string, json: Declared): Promise<VrchatFile> =>
  parsed(api, { method: 'POST', path: `/file/${encodeURIComponent(fileId)}`, json }, file)

/**
 * Signs one upload URL; may be asked for as often as needed. `partNumber` for multipart only.
 * u-Kotovsky/Spout2VRCEditor:Packages/com.vrchat.base/Editor/VRCSDK/Dependencies/VRChat/API/VRCApi.cs@98d8285
 */
export const startFileDataUpload = async (api: ApiCall, id: DataId, partNumber?: number): Promise<string> => {
  const query = partNumber === undefined ? '' : `?partNumber=${String(partNumber)}`
  return (await parsed(api, { method: 'PUT', path: `${pathOf(id)}/start${query}` }, uploadUrl)).url
}

/**
 * Completes one byte sequence. Simple ones send no body at all.
 * u-Kotovsky/Spout2VRCEditor:Packages/com.vrchat.base/Editor/VRCSDK/Dependencies/VRChat/API/VRCApi.cs@98d8285
 */
export const finishFileDataUpload = (api: ApiCall, id: DataId, json: FinishRequest): Promise<VrchatFile> => {
  const body = json.etags === undefined ? {} : { json }
  return parsed(api, { method: 'PUT', path: `${pathOf(id)}/finish`, ...body }, file)
}

/**
 * Only of a waiting multipart upload: the server never answers for a complete one.
 * vrchatapi/specification:openapi/components/paths/files.yaml@b7fff1a
 */
export const getFileDataUploadStatus = (
  api: ApiCall,
  id: DataId,
  totalMs: number,
): Promise<z.infer<typeof uploadStatus>> =>
  parsed(api, { method: 'GET', path: `${pathOf(id)}/status`, totalMs, once: true }, uploadStatus)

/** Only the newest can go. vrchatapi/specification:openapi/components/paths/files.yaml@b7fff1a */
export const deleteFileVersion = (api: ApiCall, fileId: string, version: number): Promise<VrchatFile> =>
  parsed(api, { method: 'DELETE', path: `/file/${encodeURIComponent(fileId)}/${String(version)}` }, file)

/**
 * Its answer is the removed File or a bare success, which say the same.
 * vrchatapi/specification-test:data/requests/files (2026-08-22)
 */
export const deleteFile = async (api: ApiCall, fileId: string): Promise<void> => {
  await parsed(api, { method: 'DELETE', path: `/file/${encodeURIComponent(fileId)}` }, removedFile)
}

/**
 * The bytes, or a redirect to where they are, which the caller follows without our cookies.
 * vrchatapi/specification:openapi/components/paths/files.yaml@b7fff1a
 */
export const downloadFileVersion = (api: ApiCall, fileId: string, version: number): Promise<HttpAnswer> =>
  api({ method: 'GET', path: `/file/${encodeURIComponent(fileId)}/${String(version)}`, stream: true })
