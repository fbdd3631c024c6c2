import { existsSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { ownVersion } from '#producer/version.ts'
import { commands } from './commands.ts'
import { Interrupted } from './errors.ts'
import { run } from './run.ts'

// One Ctrl-C arrives several times: from the terminal, from npx, and from the launcher.
const SAME_SIGNAL_MS = 500

const numbers = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

const stopping = new AbortController()
let stoppedAt = 0
const stop = (exitCode: number): void => {
  if (stopping.signal.aborted) {
    if (Date.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(exitCode)
    return
  }
  stoppedAt = Date.now()
  stopping.abort(new Interrupted(exitCode))
}
process.on('SIGINT', () => stop(numbers.SIGINT))
process.on('SIGTERM', () => stop(numbers.SIGTERM))
process.on('SIGHUP', () => stop(numbers.SIGHUP))

// Whoever reads us had enough, as `head` has: nothing is left to be said to them.
const onClosed = (error: Error): void => {
  if (!('code' in error) || error.code !== 'EPIPE') throw error
  process.exit(141)
}
process.stdout.on('error', onClosed)
process.stderr.on('error', onClosed)

// The service's own settings, which say where it listens. What the environment says goes first.
const settings = fileURLToPath(new URL('../../../.env', import.meta.url))
if (existsSync(settings)) process.loadEnvFile(settings)

process.exitCode = await run({ commands, version: ownVersion() }, process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  input: process.stdin,
  env: process.env,
  signal: stopping.signal,
})
// An open pipe or terminal would keep the process alive.
process.stdin.destroy()
