import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'

const EVERY_MS = 5000
const STALE_MS = 30_000

const fileOf = (dataDir: string): string => join(dataDir, 'worker.alive')

/**
 * Touches a file as long as this process turns and its Redis answers: what a health check can look at. It says when,
 * and below, for people, what is wrong with this machine.
 */
export function showAlive(redis: Redis, dataDir: string, troubles: () => readonly string[]): Disposable {
  const touch = async (): Promise<void> => {
    // Not PING: a Redis that can not write to its disk refuses that too, and to end this process is no cure.
    await redis.time()
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    await writeFile(fileOf(dataDir), `${[new Date().toISOString(), ...troubles()].join('\n')}\n`)
  }
  const beat = (): void => void touch().catch(() => undefined)
  beat()
  const timer = setInterval(beat, EVERY_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** Whether a worker of this data directory showed that it lives. */
export async function isAlive(dataDir: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(fileOf(dataDir))).mtimeMs < STALE_MS
  } catch {
    return false
  }
}
