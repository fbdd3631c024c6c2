import { Readable } from 'node:stream'
import { messageOf, StartOver, TryLater } from '#shared/errors.ts'
import { createFile, putContent } from './site/api.ts'
import { codes, isRefusedWith } from './site/codes.ts'
import type { Work } from './deps.ts'
import type { SessionState } from './session.ts'
import { standingOf } from './standing.ts'

const NOTHING = { length: 0, open: () => Readable.from([]) }

const LOCK_POLL_MS = 15_000

/** It exists already, or is not what it was when we looked. */
const TAKEN = [codes.objectExists, codes.staleVersion]

/**
 * Makes an empty file, or an empty version of one. Whoever was faster and left it empty did what was wanted; anything
 * else there is looked at anew.
 */
export const sendEmpty = async (work: Work, state: SessionState): Promise<void> => {
  const { uri, previous, metadata } = state
  try {
    if (previous === undefined) {
      const more = metadata && { metadata }
      await createFile(work.api, { uri, type: 'file', err_on_conflict: true, ...more })
    } else await putContent(work.api, { uri, previous, body: NOTHING }, work.timing.apiMs)
  } catch (error) {
    if (isRefusedWith(error, [codes.locked]))
      throw new TryLater(messageOf(error), LOCK_POLL_MS, { cause: error })
    if (!isRefusedWith(error, TAKEN)) throw error
    const { kind } = await standingOf(work, state)
    if (kind !== 'complete') throw new StartOver('conflict', `${uri} was changed by somebody else`)
  }
}
