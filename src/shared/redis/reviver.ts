import { setTimeout as sleep } from 'node:timers/promises'

export interface Reviver {
  /** Call it at every sign that the server is gone; only one revival runs at a time. */
  readonly revive: () => void
  /** Resolves when no revival runs any more, nor ever will. */
  readonly end: () => Promise<void>
}

/** Runs `start` until it works, with growing pauses after each failure. */
export function createReviver(start: () => Promise<void>, log: (message: string) => void): Reviver {
  const ended = new AbortController()
  let running: Promise<void> | undefined

  const untilStarted = async (): Promise<void> => {
    for (let pauseMs = 1_000; !ended.signal.aborted; pauseMs = Math.min(pauseMs * 2, 60_000)) {
      try {
        return await start()
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        log(`The embedded Redis is gone and does not come back: ${reason}`)
        await sleep(pauseMs, undefined, { signal: ended.signal }).catch(() => {})
      }
    }
  }

  return {
    revive: () => {
      if (ended.signal.aborted || running !== undefined) return
      running = untilStarted().finally(() => {
        running = undefined
      })
    },
    end: async () => {
      ended.abort()
      await running
    },
  }
}
