import { type MessagePort, parentPort } from 'node:worker_threads'
import { slotView } from './chunks.ts'
import { type DigestTask, createDigest } from './digest.ts'
import { replyOf } from './wire-error.ts'

/** Opens a digest. It is spoken to through its own port, so that nothing of one outlives it in the next. */
export interface OpenDigest {
  readonly task: DigestTask
  readonly chunks: SharedArrayBuffer
  readonly port: MessagePort
}

/** A chunk that is in its slot, or the end of the source. Each is answered by one `Reply`, in order. */
export type DigestMessage = { readonly slot: number; readonly length: number } | 'end'

parentPort?.on('message', ({ task, chunks, port }: OpenDigest) => {
  const opened = Promise.try(createDigest, task)
  const handle = async (message: DigestMessage): Promise<unknown> => {
    const digest = await opened
    return message === 'end' ? digest.end() : digest.update(slotView(chunks, message.slot, message.length))
  }
  port.on('message', (message: DigestMessage) => {
    void replyOf(() => handle(message)).then((reply) => port.postMessage(reply))
  })
  port.on('close', () => {
    // If it could not be opened, then the first message was answered so.
    void opened.then(
      (digest) => digest.close(),
      () => {},
    )
  })
})
