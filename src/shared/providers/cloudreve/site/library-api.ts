import { nothing, type ApiCall } from './api.ts'
import { fileUrls } from './shapes.ts'

interface VersionId {
  readonly uri: string
  /** The id of its entity. */
  readonly version: string
}

/** be:service/explorer/entity.go@0bb0ab83 */
export const setCurrentVersion = async (api: ApiCall, json: VersionId): Promise<void> => {
  await api({ method: 'POST', path: '/file/version/current', json }, nothing)
}

/** be:service/explorer/entity.go@0bb0ab83 */
export const deleteVersion = async (api: ApiCall, json: VersionId): Promise<void> => {
  await api({ method: 'DELETE', path: '/file/version', json }, nothing)
}

/**
 * Moves one file to the trash, from where a person can bring it back. One a call: of a batch only the whole would
 * have a code. be:service/explorer/file.go@0bb0ab83
 */
export const deleteFile = async (api: ApiCall, uri: string): Promise<void> => {
  await api({ method: 'DELETE', path: '/file', json: { uris: [uri] }, paid: true }, nothing)
}

/**
 * A signed URL of the bytes of a version, or of the current one; it may be at the site, a node or a store, and needs
 * no login. be:service/explorer/file.go@0bb0ab83
 */
export const downloadUrl = async (
  api: ApiCall,
  { uri, version }: { readonly uri: string; readonly version?: string },
): Promise<string> => {
  const json = { uris: [uri], download: true, ...(version !== undefined && { entity: version }) }
  const { urls } = await api({ method: 'POST', path: '/file/url', json, repeat: true }, fileUrls)
  const [first] = urls
  // The schema has at least one.
  return first === undefined ? '' : new URL(first.url, `${api.baseUrl}/`).href
}
