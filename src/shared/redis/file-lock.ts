import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'

export interface FileLock {
  /** What is waited for, said when it takes longer than `timeoutMs`. */
  readonly purpose: string
  readonly timeoutMs: number
}

/**
 * Runs `work` while no other process, and no other call in this one, holds the lock at `path`. The kernel
 * releases it when its holder dies, however it dies.
 */
export async function withFileLock<T>(path: string, lock: FileLock, work: () => Promise<T>): Promise<T> {
  // Node has no flock(2), and a file holding a pid needs a takeover that two processes can win at once.
  // SQLite's lock on a database is a kernel lock with the semantics that we want.
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    await acquire(database, path, lock)
    return await work()
  } finally {
    database.close()
  }
}

async function acquire(
  database: DatabaseSync,
  path: string,
  { purpose, timeoutMs }: FileLock,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!tryAcquire(database)) {
    if (Date.now() > deadline) {
      throw new Error(`Another process has been ${purpose} for over ${timeoutMs / 1000} s (it holds ${path})`)
    }
    await sleep(50)
  }
}

function tryAcquire(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (isBusy(error)) return false
    throw error
  }
}

function isBusy(error: unknown): boolean {
  const sqliteBusy = 5
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy
}
