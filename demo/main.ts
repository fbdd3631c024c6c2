import { readFlags } from './flags.ts'
import { untilInterrupted } from './interrupts.ts'
import { createScreen } from './screen.ts'
import { runDemo } from './story.ts'

const flags = readFlags()
using interrupts = untilInterrupted()
process.exitCode = await runDemo({
  flags,
  screen: createScreen(process.stdout),
  interrupted: interrupts.signal,
})
