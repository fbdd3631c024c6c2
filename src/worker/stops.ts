import type { Redis } from 'ioredis'
import type { Keys } from '#shared/keys.ts'

type Scope = 'all' | 'parts'

/** Why work was stopped: the upload was cancelled, failed, or starts over. */
export class Stopped extends Error {
  override name = 'Stopped'
}

/**
 * Stops work on an upload in every process at once: `all` for a cancel, `parts` when the upload failed or
 * starts over. The record says so too, so a message that is lost costs time and nothing else.
 */
export function createStops({ redis, keys }: { redis: Redis; keys: Keys }) {
  const working = new Map<string, Set<{ readonly scope: Scope; readonly abort: AbortController }>>()

  const stop = (upload: string, scope: Scope): void => {
    for (const work of working.get(upload) ?? []) {
      if (scope === 'all' || work.scope === 'parts') work.abort.abort(new Stopped(`${upload} was stopped`))
    }
  }

  return {
    /** What came over the channel: an id, or an id and `parts`. */
    heard: (message: string): { upload: string; scope: Scope } => {
      const [upload = '', scope] = message.split(' ')
      const what = scope === 'parts' ? 'parts' : 'all'
      stop(upload, what)
      return { upload, scope: what }
    },

    stopParts: async (upload: string): Promise<void> => {
      stop(upload, 'parts')
      await redis.publish(keys.cancel, `${upload} parts`)
    },

    /** Runs `work` with a signal that also aborts when the upload is stopped. */
    watch: async <T>(
      { upload, scope, signal }: { upload: string; scope: Scope; signal: AbortSignal },
      work: (signal: AbortSignal) => Promise<T>,
    ): Promise<T> => {
      const entry = { scope, abort: new AbortController() }
      const entries = working.get(upload) ?? new Set()
      working.set(upload, entries.add(entry))
      try {
        return await work(AbortSignal.any([signal, entry.abort.signal]))
      } catch (error) {
        // Whatever an aborted wait or request throws: this is what it means.
        throw entry.abort.signal.aborted ? entry.abort.signal.reason : error
      } finally {
        entries.delete(entry)
        if (entries.size === 0) working.delete(upload)
      }
    },
  }
}

export type Stops = ReturnType<typeof createStops>
