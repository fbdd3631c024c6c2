import { parentPort } from 'node:worker_threads'
import { createDigestThreads } from './digests.ts'
import { type Pass, createRunPass } from './pass.ts'
import { replyOf } from './wire-error.ts'

const run = createRunPass(createDigestThreads())

const port = parentPort

port?.on('message', (pass: Pass) => {
  void replyOf(() => run(pass)).then((reply) => port.postMessage(reply))
})
