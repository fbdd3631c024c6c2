import { setTimeout as sleep } from 'node:timers/promises'

/** Waits so many ms, or throws the signal's reason. */
export const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
  signal.throwIfAborted()
}
