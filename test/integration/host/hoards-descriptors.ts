import { closeSync, openSync } from 'node:fs'

// Loaded before a program: on SIGUSR2 it takes all descriptors that there are, and any that comes free, until the
// next SIGUSR2. The kernel then refuses every other one with EMFILE.
const held: number[] = []
let timer: NodeJS.Timeout | undefined

const take = (): void => {
  try {
    for (;;) held.push(openSync('/dev/null', 'r'))
  } catch {
    // That was the last one.
  }
}

process.on('SIGUSR2', () => {
  if (timer === undefined) {
    take()
    timer = setInterval(take, 5)
    return
  }
  clearInterval(timer)
  timer = undefined
  for (const descriptor of held.splice(0)) closeSync(descriptor)
})
