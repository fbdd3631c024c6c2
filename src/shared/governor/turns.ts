/** A first come, first served semaphore in this process: only `limit` of us ask Redis at the same time. */
export function createTurns() {
  const lines = new Map<string, { taken: number; waiting: (() => void)[] }>()

  const give = (name: string): void => {
    const line = lines.get(name)
    if (line === undefined) return
    const next = line.waiting.shift()
    if (next !== undefined) {
      next()
      return
    }
    line.taken -= 1
    if (line.taken === 0) lines.delete(name)
  }

  /** Waits for a turn; the answer gives it back. Throws the signal's reason when aborted before. */
  const take = async (name: string, limit: number, signal: AbortSignal): Promise<() => void> => {
    signal.throwIfAborted()
    const line = lines.get(name) ?? { taken: 0, waiting: [] }
    lines.set(name, line)
    if (line.taken < limit) line.taken += 1
    else await standIn(line.waiting, signal)
    return () => give(name)
  }

  /** A turn if there is one right now. */
  const takeNow = (name: string, limit: number): (() => void) | undefined => {
    const line = lines.get(name) ?? { taken: 0, waiting: [] }
    if (line.taken >= limit) return undefined
    line.taken += 1
    lines.set(name, line)
    return () => give(name)
  }

  return { take, takeNow }
}

export type Turns = ReturnType<typeof createTurns>

function standIn(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const called = (): void => {
      signal.removeEventListener('abort', left)
      resolve()
    }
    const left = (): void => {
      waiting.splice(waiting.indexOf(called), 1)
      reject(signal.reason)
    }
    signal.addEventListener('abort', left, { once: true })
    waiting.push(called)
  })
}
