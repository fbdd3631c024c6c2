import { type FileHandle, open, readFile, stat } from 'node:fs/promises'

import type { ServerFiles } from './server-files.ts'

// The server says little: this is years. Beyond it the old lines go.
const maxLogBytes = 5 * 1024 * 1024
const startMarker = '--- Stevedore starts its server'

/** Opens the server's log for one more run of it, which begins with a line of ours. */
export async function openLog(files: ServerFiles): Promise<FileHandle> {
  const { size } = await stat(files.log).catch(() => ({ size: 0 }))
  const log = await open(files.log, size > maxLogBytes ? 'w' : 'a', 0o600)
  await log.write(`${startMarker} ${new Date().toISOString()}\n`)
  return log
}

/** What the server said since it was started last. */
export async function readLastRun(files: ServerFiles): Promise<string> {
  const log = await readFile(files.log, 'utf8')
  return log.slice(log.lastIndexOf(startMarker))
}

/** Says in words that the server which was just started had to drop the end of its data; else `undefined`. */
export async function whatWasCut(files: ServerFiles): Promise<string | undefined> {
  if (!/Truncating the AOF/i.test(await readLastRun(files))) return undefined
  return (
    "The end of the embedded Redis's append-only file was incomplete, as after a power cut, and was cut off " +
    `(details: ${files.log}). What was written last is lost: uploads go on from what is known of them before that`
  )
}
