import { readFlags } from './flags.ts'
import { untilInterrupted } from '../test/support/programs/interrupts.ts'
import { createScreen } from '../test/support/programs/screen.ts'
import { runDemo } from './story.ts'

const flags = readFlags()
using interrupts = untilInterrupted()
process.exitCode = await runDemo({
  flags,
  screen: createScreen(process.stdout),
  interrupted: interrupts.signal,
})
