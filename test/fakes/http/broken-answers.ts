import { once } from 'node:events'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { countedBody } from './bodies.ts'
import type { Exchange } from './exchange.ts'
import type { Reply } from './replies.ts'

/** A TCP reset, so the client sees ECONNRESET and not a clean end. */
export function reset({ socket }: Exchange): void {
  socket.resetAndDestroy()
}

export async function resetMidBody(exchange: Exchange, afterBytes: number | undefined): Promise<void> {
  await readSome(exchange, afterBytes ?? half(exchange))
  reset(exchange)
}

/** Reads the request body until so many bytes came. */
export async function readSome({ request, entry }: Exchange, bytes: number): Promise<void> {
  for await (const _ of countedBody(request, entry)) {
    if (entry.bytes >= bytes) break
  }
}

const half = ({ request }: Exchange): number => Number(request.headers['content-length'] ?? 0) / 2

/** Says in the middle of the request that nothing more will come from here. */
export async function halfClose(exchange: Exchange): Promise<void> {
  const { socket, request } = exchange
  await readSome(exchange, half(exchange))
  socket.end()
  // Whoever does not care goes on sending; the rest is read, and counts for nothing.
  request.resume()
  if (!socket.destroyed) await once(socket, 'close')
}

/** Breaks off in the middle of the answer, or of its head when that is all. */
export async function cutAnswer(exchange: Exchange, reply: Reply): Promise<void> {
  const text = rawReply(reply)
  const head = text.indexOf(END_OF_HEAD) + END_OF_HEAD.length
  const whole = head === text.length
  await written(exchange, text.subarray(0, whole ? head / 2 : (head + text.length) / 2))
  // No reset: that would take from the client what it has not read yet.
  exchange.socket.destroy()
}

/** A success whose chunks are none. */
export function badChunks({ socket }: Exchange): void {
  socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nno chunk\r\n')
}

/** A success that announces more than it has. */
export function falseLength({ socket }: Exchange): void {
  socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"id":')
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

/** Body, or head and body, a few bytes at a time. */
export async function dripReply(
  { socket, entry }: Exchange,
  reply: Reply,
  { bytes, intervalMs, from }: { bytes: number; intervalMs: number; from: 'head' | 'body' },
): Promise<void> {
  const text = rawReply(reply)
  const head = from === 'body' ? text.indexOf(END_OF_HEAD) + END_OF_HEAD.length : 0
  socket.write(text.subarray(0, head))
  for (let at = head; at < text.length; at += bytes) {
    if (socket.destroyed) return
    socket.write(text.subarray(at, at + bytes))
    await sleep(intervalMs, undefined, { ref: false })
  }
  entry.status = reply.status
  socket.end()
}

const END_OF_HEAD = '\r\n\r\n'

async function written({ socket }: Exchange, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  // Also called when it fails, which is as good here: the socket is about to go.
  socket.write(bytes, () => resolve())
  await promise
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
