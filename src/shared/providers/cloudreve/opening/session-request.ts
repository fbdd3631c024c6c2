import { listFolder, type CreateSession } from '../site/api.ts'
import { atLeast } from '../site/version.ts'
import { codes, isRefusedWith } from '../site/codes.ts'
import type { Opening } from './opening.ts'
import type { Draft } from '../session.ts'
import { uploadMarker, type FileInfo } from '../site/shapes.ts'
import { parentOf } from '../site/uri.ts'

/** The only cipher there is; the site says whether it wants it. */
export const CIPHERS: readonly string[] = ['aes-256-ctr']

/** What is noted before the session is asked for. */
export const creatingOf = (
  { now, serverAhead }: Opening,
  uri: string,
  file: FileInfo | undefined,
): NonNullable<Draft['creating']> => {
  const markerBefore = file && uploadMarker(file)
  const isEmpty = file?.size === 0 && markerBefore === undefined
  return {
    uri,
    since: now() + serverAhead(),
    ...(file !== undefined && { previous: file.primary_entity }),
    ...(markerBefore !== undefined && { markerBefore }),
    ...(isEmpty && { wasEmpty: true as const }),
  }
}

/**
 * Asks for a new file where there is none, so that one made meanwhile is a conflict; else for a version on top of the
 * very content that was looked at. A placeholder whose session is dead is taken over as a version.
 */
export const requestOf = async (
  opening: Opening,
  uri: string,
  file: FileInfo | undefined,
): Promise<CreateSession> => {
  const { upload, request } = opening
  const { metadata } = request.destination
  const version = await opening.api.version()
  const policy = await policyOf(opening, uri, version)
  const { previous } = creatingOf(opening, uri, file)
  return {
    uri,
    size: upload.size,
    ...(upload.modifiedAt !== undefined && { last_modified: upload.modifiedAt }),
    ...(policy !== undefined && { policy_id: policy }),
    ...(metadata !== undefined && { metadata }),
    ...(file !== undefined && { entity_type: 'version' as const }),
    ...(atLeast(version, '4.10.0') && { encryption_supported: CIPHERS }),
    ...(previous !== undefined && atLeast(version, '4.11.0') && { previous }),
  }
}

/** Older sites want to be told the policy that their own listing names. */
const policyOf = async (opening: Opening, uri: string, version: string): Promise<string | undefined> => {
  const { policyId } = opening.request.destination
  if (policyId !== undefined || atLeast(version, '4.11.0')) return policyId
  for (let folder = parentOf(uri); ; folder = parentOf(folder)) {
    const listing = await listFolder(opening.api, { uri: folder, pageSize: 1 }).catch(undefinedIfAbsent)
    if (listing !== undefined) return listing.storage_policy?.id
    // Folders are made with their first file: the nearest one that is there decides.
    if (folder === parentOf(folder)) return undefined
  }
}

const undefinedIfAbsent = (error: unknown): undefined => {
  if (!isRefusedWith(error, [codes.parentMissing, codes.fileMissing, codes.notFound])) throw error
}
