#!/usr/bin/env node
// Plain JavaScript for the Node that happens to be there: it finds the one that can run the sources.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const main = new URL('../src/producer/cli/main.ts', import.meta.url)
// Half of a start is reading TypeScript; as in the npm scripts.
const compiled = fileURLToPath(new URL('../node_modules/.cache/stevedore', import.meta.url))
// What npm installed as the dependency `node`.
const pinned = fileURLToPath(
  new URL(`../node_modules/node/bin/node${process.platform === 'win32' ? '.exe' : ''}`, import.meta.url),
)

if (!existsSync(new URL('../node_modules/zod/package.json', import.meta.url))) {
  fail(`stevedore: its dependencies are not installed: run \`npm ci\` in ${root}`)
} else if (runsTypeScript(process.versions.node)) {
  module.enableCompileCache(compiled)
  await import(main.href)
} else if (existsSync(pinned)) {
  runPinned()
} else {
  fail(
    `stevedore: needs Node 24.12 or later, and this is ${process.versions.node}: ` +
      `run \`npm ci\` in ${root}, which brings its own`,
  )
}

/** Types are stripped without a flag and without a warning from 24.12 on, but not in 25.0 and 25.1. */
function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major === 24) return minor >= 12
  return major === 25 ? minor >= 2 : major > 25
}

function runPinned() {
  const env = { NODE_COMPILE_CACHE: compiled, ...process.env }
  const child = spawn(pinned, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit', env })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']
  const forward = (signal) => child.kill(signal)
  for (const signal of signals) process.on(signal, forward)

  child.on('error', (error) => fail(`stevedore: ${pinned} does not start: ${error.message}`))
  child.on('exit', (code, signal) => {
    for (const name of signals) process.off(name, forward)
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
    // Whoever started us shall see that it was a signal.
    if (signal !== null) process.kill(process.pid, signal)
  })
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}
