import type { Confirmation, UploadView, Version } from '../provider.ts'
import type { Timing, Work } from './deps.ts'
import type { SessionState } from './session.ts'
import type { FileInfo } from './site/shapes.ts'
import { standingOf } from './standing.ts'
import { transports } from './transports/index.ts'

/** Reads back whether the site shows the file whole, and ours as its current content. */
export const confirmUpload = async (
  work: Work,
  state: SessionState,
  upload: UploadView,
): Promise<Confirmation> => {
  const standing = await standingOf(work, state)
  // What was sent whole and stays unfinished is never completed by asking again: the session is stuck.
  if (standing.kind === 'open') return { kind: 'pending', why: standing.why, startOver: true }
  if (standing.kind === 'lost') return { kind: 'broken', why: standing.why }
  return { kind: 'complete', version: versionOf(state.uri, standing.file, upload, work.now()) }
}

/** The file's current content as the ledger keeps it. */
export const versionOf = (
  uri: string,
  { primary_entity: entity, size }: FileInfo,
  { hashes }: Pick<UploadView, 'hashes'>,
  completedAt: number,
): Version => ({
  remoteId: uri,
  number: entity,
  size,
  ...(hashes !== undefined && { md5: hashes.md5 }),
  completedAt,
})

/** Only some stores report behind our back, and take longer. */
export const confirmWithinMs = ({ confirmMs }: Timing, { transport }: SessionState): number =>
  (transport === 'empty' ? undefined : transports[transport].settlesWithinMs) ?? confirmMs
