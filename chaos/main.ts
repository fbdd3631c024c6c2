import { untilInterrupted } from '../test/support/programs/interrupts.ts'
import { createScreen } from '../test/support/programs/screen.ts'
import { readFlags } from './flags.ts'
import { runChaos } from './run.ts'

const flags = readFlags()
using interrupts = untilInterrupted()
process.exitCode = await runChaos({
  flags,
  screen: createScreen(process.stdout),
  interrupted: interrupts.signal,
})
