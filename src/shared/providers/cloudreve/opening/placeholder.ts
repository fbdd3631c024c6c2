import { TryLater } from '#shared/errors.ts'
import { info, createFile, deleteSession } from '../site/api.ts'
import { pause } from '#shared/pause.ts'
import type { Work } from '../deps.ts'
import { codes, isRefusedWith } from '../site/codes.ts'
import type { Draft } from '../session.ts'
import { uploadMarker, type FileInfo } from '../site/shapes.ts'

interface Unfinished {
  readonly uri: string
  readonly sessionId: string
  readonly wasEmpty?: true | undefined
}

/** Its placeholder is gone: nothing of ours is left. */
const GONE = [codes.notFound, codes.sessionGone, codes.parentMissing, codes.fileMissing]

/** A chunk or a completion that holds the lock of its own session is done within seconds. */
const BUSY_PAUSES = 4

/** How late a request may still take effect at the site; who began after that is somebody else. */
const LATE_MS = 5 * 60_000

/** The site says its time in whole seconds. */
const CLOCK_STEP_MS = 2_000

/**
 * Removes an unfinished session with its placeholder, what it reserved, and what its store holds. The site answers
 * success whether or not there was anything, so the caller looks before. An empty file that the site removes along
 * with an unfinished version is made again.
 */
export const removeSession = async (work: Work, { uri, sessionId, wasEmpty }: Unfinished): Promise<void> => {
  // What was just broken off may still be arriving.
  await pause(work.timing.settleMs, work.signal)
  await deleteSession(work.api, { id: sessionId, uri }).catch(async (error: unknown) => {
    if (isRefusedWith(error, GONE)) return
    if (!isRefusedWith(error, [codes.locked])) throw error
    // By another session, or for a moment by a chunk of this one.
    const file = await info(work.api, uri)
    if (file === undefined || uploadMarker(file) !== sessionId) return
    const why = `an unfinished upload of ${uri} can not be removed yet`
    throw new TryLater(why, work.timing.retryMs * BUSY_PAUSES, { cause: error })
  })
  await remakeEmpty(work, { uri, wasEmpty })
}

/** Makes an empty file again that the site removed with an unfinished version of it, also when its answer was lost. */
export const remakeEmpty = async (
  { api }: Pick<Work, 'api'>,
  { uri, wasEmpty }: Pick<Unfinished, 'uri' | 'wasEmpty'>,
): Promise<void> => {
  if (wasEmpty !== true || (await info(api, uri)) !== undefined) return
  await createFile(api, { uri, type: 'file' })
}

/**
 * The session that a creation made whose answer was lost, if it made one: an unfinished upload that was not there
 * before. Its URLs are lost with the answer, so it can only be removed.
 */
export const findLostSession = async (
  { api }: Pick<Work, 'api'>,
  { uri, since, markerBefore }: NonNullable<Draft['creating']>,
): Promise<string | undefined> => {
  const file = await info(api, uri)
  const marker = file && uploadMarker(file)
  if (file === undefined || marker === markerBefore) return undefined
  return isYounger(file, since) ? undefined : marker
}

/** A placeholder is as old as its session; a file that gets a new version may be as old as it likes. */
const isYounger = (file: FileInfo, since: number): boolean => Date.parse(file.created_at) > since + LATE_MS

/** Whether this placeholder was made, late, by a request of ours whose answer nobody saw. */
export const isLateOfOurs = (file: FileInfo, { late }: Draft, uri: string): boolean =>
  late !== undefined &&
  late.uri === uri &&
  file.size === 0 &&
  Date.parse(file.created_at) >= late.since - CLOCK_STEP_MS &&
  !isYounger(file, late.since)
