import { parentPort } from 'node:worker_threads'

// A thread that does as told, for the pool's tests.
const port = parentPort
port?.on('message', ({ say, wait }: { say: string; wait?: Int32Array }) => {
  if (say === 'crash') throw new Error('on purpose')
  if (say === 'exit') process.exit(3)
  // Deaf to everything until the test lets go.
  if (wait !== undefined) Atomics.wait(wait, 0, 0)
  port.postMessage(
    say === 'fail' ? { error: { kind: 'wait', host: false, message: say, delayMs: 7 } } : { result: say },
  )
})
