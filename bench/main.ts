import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProgramFailed } from '../test/support/programs/failure.ts'
import { untilInterrupted } from '../test/support/programs/interrupts.ts'
import { readFlags } from './flags.ts'
import { describeMachine } from './machine.ts'
import { createReport } from './report.ts'
import type { Bench } from './scenario.ts'

const flags = readFlags(process.argv.slice(2))
using interrupts = untilInterrupted()
const report = createReport(console.log)
report.line(await describeMachine())
const bench: Bench = {
  quick: flags.quick,
  profileDir: flags.profile ? await mkdtemp(join(tmpdir(), 'stevedore-profile-')) : undefined,
  signal: interrupts.signal,
  report,
}
if (flags.quick) report.line('A smoke run in small sizes: these figures say nothing.')
for (const scenario of flags.scenarios) {
  if (interrupts.signal.aborted) break
  report.line(`\n${scenario.name}: ${scenario.what}`)
  try {
    await scenario.run(bench)
  } catch (error) {
    // The others may still have something to say.
    process.exitCode = 1
    report.line(`  failed: ${error instanceof Error ? error.message : String(error)}`)
    if (error instanceof ProgramFailed) for (const detail of error.details) report.line(`    ${detail}`)
  }
}
if (bench.profileDir !== undefined) report.line(`\nCPU profiles of serve and worker: ${bench.profileDir}`)
