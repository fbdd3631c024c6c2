import { once } from 'node:events'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { countedBody } from './bodies.ts'
import type { Exchange } from './core.ts'
import type { Reply } from './replies.ts'

/** A TCP reset, so the client sees ECONNRESET and not a clean end. */
export function reset({ socket }: Exchange): void {
  socket.resetAndDestroy()
}

export async function resetMidBody(exchange: Exchange, afterBytes: number | undefined): Promise<void> {
  const { request, entry } = exchange
  const announced = Number(request.headers['content-length'] ?? 0)
  const limit = afterBytes ?? announced / 2
  for await (const _ of countedBody(request, entry)) {
    if (entry.bytes >= limit) break
  }
  reset(exchange)
}

const PAGE = `${'The page you are looking for is being moved. '.repeat(1500)}\n`

/** An error page without an end, as fast as the client reads it. */
export async function pageForever({ response }: Exchange, status: number): Promise<void> {
  response.writeHead(status, { 'content-type': 'text/html' })
  await pipeline(Readable.from(forever(PAGE)), response)
}

/** A response head without an end. */
export async function headForever({ socket }: Exchange): Promise<void> {
  socket.write('HTTP/1.1 200 OK\r\n')
  let count = 0
  while (!socket.destroyed) {
    count += 1
    if (!socket.write(`x-padding-${count}: ${'a'.repeat(500)}\r\n`)) await drained(socket)
  }
}

/** Head and body a few bytes at a time. */
export async function dripReply(
  { socket, entry }: Exchange,
  reply: Reply,
  { bytes, intervalMs }: { bytes: number; intervalMs: number },
): Promise<void> {
  const text = rawReply(reply)
  for (let at = 0; at < text.length; at += bytes) {
    if (socket.destroyed) return
    socket.write(text.subarray(at, at + bytes))
    await sleep(intervalMs, undefined, { ref: false })
  }
  entry.status = reply.status
  socket.end()
}

function rawReply({ status, headers = {}, body }: Reply): Buffer {
  const text = typeof body === 'string' ? body : ''
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}`),
  )
  const length = `content-length: ${Buffer.byteLength(text)}`
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, length, 'connection: close', '', '']
  return Buffer.from(head.join('\r\n') + text)
}

function* forever(text: string): Generator<string> {
  for (;;) yield text
}

async function drained(socket: Socket): Promise<void> {
  const done = new AbortController()
  const { signal } = done
  try {
    await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })])
  } finally {
    done.abort()
  }
}
