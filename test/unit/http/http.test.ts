import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { StartOver, Unreachable } from '#shared/errors.ts'
import { neverSent } from '#shared/http/failure.ts'
import { createHttp, type HttpAnswer, type HttpOptions, type HttpRequest } from '#shared/http.ts'

const never = new AbortController().signal

interface Place {
  readonly url: string
  /** The first of what arrived, over all connections. */
  readonly received: () => string
  readonly connections: () => number
  readonly send: (request?: Partial<HttpRequest>, signal?: AbortSignal) => Promise<HttpAnswer>
}

/** A server that answers each connection's first bytes with whatever `answer` writes. */
async function withServer(
  answer: (socket: Socket) => void,
  work: (place: Place) => Promise<void>,
  options: Partial<HttpOptions> = {},
): Promise<void> {
  const sockets = new Set<Socket>()
  let received = ''
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      if (received.length < 10_000) received += chunk.toString('latin1')
    })
    socket.once('data', () => answer(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const url = `http://127.0.0.1:${port}/path?X-Amz-Signature=canary`
  await using http = createHttp({ stallMs: 300, answerMs: 300, ...options })
  try {
    await work({
      url,
      received: () => received,
      connections: () => sockets.size,
      send: (request = {}, signal = never) =>
        http.send({ method: 'GET', url, what: 'GET it', ...request }, signal),
    })
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

const reply = (text: string) => (socket: Socket) => void socket.write(text.replaceAll('\n', '\r\n'))
const ok = reply('HTTP/1.1 200 OK\ncontent-length: 2\n\nok')
const sliceOf = (bytes: Buffer, length = bytes.length) => ({
  length,
  open: () => Readable.from([bytes], { objectMode: false }),
})

test('an empty slice is an empty body with its length said', () =>
  withServer(ok, async ({ send, received }) => {
    await send({ method: 'PUT', body: sliceOf(Buffer.alloc(0)) })
    expect(received()).toContain('content-length: 0\r\n')
    expect(received().toLowerCase()).not.toMatch(/transfer-encoding|content-type/)
  }))

test('a slice goes out with its exact length and nothing of its own in the headers', () =>
  withServer(ok, async ({ send, received }) => {
    await send({ method: 'PUT', body: sliceOf(Buffer.from('hello')) })
    expect(received()).toMatch(/content-length: 5\r\n\r\nhello$/)
    expect(received().toLowerCase()).not.toMatch(/transfer-encoding|content-type|user-agent|cookie/)
  }))

test.each([
  ['fewer', Buffer.from('short'), 9],
  ['more', Buffer.from('too long by far'), 9],
])('a source that gives %s bytes than it has, changed', (_, bytes, length) =>
  withServer(
    () => undefined,
    async ({ send }) => {
      const failure = await failureOf(send({ method: 'PUT', body: sliceOf(bytes, length) }))
      expect(failure).toBeInstanceOf(StartOver)
      expect(failure).toMatchObject({ class: 'source-changed' })
    },
  ),
)

test('a source that breaks keeps its own error', () =>
  withServer(
    () => undefined,
    async ({ send }) => {
      const broken = new StartOver('source-changed', 'it is another file now')
      const open = () =>
        new Readable({
          read() {
            this.push(Buffer.alloc(10))
            this.destroy(broken)
          },
        })
      expect(await failureOf(send({ method: 'PUT', body: { length: 100, open } }))).toBe(broken)
    },
  ))

test('the source is closed whatever happens', () =>
  withServer(
    (socket) => void socket.destroy(),
    async ({ send }) => {
      let stream: Readable | undefined
      const open = () => (stream = Readable.from(endless(), { objectMode: false }))
      await failureOf(send({ method: 'PUT', body: { length: 1e9, open } }))
      expect(stream?.destroyed).toBe(true)
    },
  ))

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(65_536)
}

const gigabyte = { length: 1e9, open: () => Readable.from(endless(), { objectMode: false }) }

test('row 18: an answer that comes while the body is still going out counts', () =>
  withServer(reply('HTTP/1.1 403 Forbidden\ncontent-length: 2\n\nno'), async ({ send }) => {
    expect(await send({ method: 'PUT', body: gigabyte })).toMatchObject({
      status: 403,
      text: 'no',
    })
  }))

const dripping = (head: string) => (socket: Socket) => {
  socket.write(head.replaceAll('\n', '\r\n'))
  const timer = setInterval(() => void socket.write('x'), 20)
  socket.once('close', () => clearInterval(timer))
}

test.each<[string, (socket: Socket) => void]>([
  ['never answers', () => undefined],
  ['drips headers for ever', dripping('HTTP/1.1 200 OK\nx-long: ')],
  ['drips a body for ever', dripping('HTTP/1.1 200 OK\ncontent-length: 100000\n\n')],
  ['stops in the middle of a body', reply('HTTP/1.1 200 OK\ncontent-length: 100\n\nhalf')],
  ['sends interim answers for ever', (socket) => dripInterim(socket)],
])('a server that %s is given up', (_, answer) =>
  withServer(answer, async ({ send }) => {
    expect(await failureOf(send({ method: 'PUT', body: sliceOf(Buffer.alloc(10)) }))).toBeInstanceOf(
      Unreachable,
    )
  }),
)

test('row 19: a server that stops reading is given up', () =>
  withServer(
    (socket) => void socket.pause(),
    async ({ send }) => {
      const failure = await failureOf(send({ method: 'PUT', body: gigabyte }))
      expect(failure).toMatchObject({ name: 'Unreachable', message: 'GET it → no byte moved for 0.3 s' })
    },
  ))

function dripInterim(socket: Socket): void {
  socket.pause()
  const timer = setInterval(() => void socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 20)
  socket.once('close', () => clearInterval(timer))
}

test.each([
  ['endless headers', `HTTP/1.1 200 OK\n${'x-more: yes\n'.repeat(5000)}`],
  ['nonsense', 'this is no HTTP\n\n'],
  ['a short body', 'HTTP/1.1 200 OK\ncontent-length: 100\nconnection: close\n\nshort'],
])('%s are no answer', (_, text) =>
  withServer(
    (socket) => void socket.end(text.replaceAll('\n', '\r\n')),
    async ({ send }) => {
      const failure = await failureOf(send())
      expect(failure).toBeInstanceOf(Unreachable)
      expect(neverSent(failure)).toBe(false)
    },
  ),
)

const flood = (status: number) => (socket: Socket) => {
  socket.write(`HTTP/1.1 ${status} x\r\ncontent-length: 1000000000\r\n\r\n`)
  const more = (): void => {
    while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'a')));
  }
  socket.on('drain', more)
  more()
}

test('row 39: a huge error page is read to 64 KiB, and its connection dropped', () =>
  withServer(flood(500), async ({ send }) => {
    const answer = await send()
    expect([answer.status, answer.text.length]).toEqual([500, 65_536])
  }))

test('row 39: a success without end is none', () =>
  withServer(
    flood(200),
    async ({ send }) => {
      expect(await failureOf(send())).toMatchObject({
        name: 'Unreachable',
        message: 'GET it → answer of more than 8388608 bytes',
      })
    },
    { answerMs: 10_000 },
  ))

test('redirects are answered, not followed', () =>
  withServer(
    reply('HTTP/1.1 302 Found\nlocation: /other\ncontent-length: 0\n\n'),
    async ({ send, received }) => {
      expect(await send()).toMatchObject({ status: 302, text: '' })
      expect(received().match(/^GET /gm)).toHaveLength(1)
    },
  ))

test('connections are kept', () =>
  withServer(
    (socket) => {
      ok(socket)
      socket.on('data', () => ok(socket))
    },
    async ({ send, connections }) => {
      for (let n = 0; n < 5; n += 1) await send()
      // One that was used a moment ago may still be busy ending.
      expect(connections()).toBeLessThanOrEqual(2)
    },
  ))

test('a stream may be slow to be read, read whole, or dropped', () =>
  withServer(reply('HTTP/1.1 200 OK\ncontent-length: 5\n\nbytes'), async ({ send }) => {
    const whole = await send({ stream: true })
    expect(whole.body && (await buffer(whole.body)).toString()).toBe('bytes')
    const dropped = await send({ stream: true })
    dropped.body?.destroy()
    expect(dropped.text).toBe('')
  }))

test('a stream that stalls fails as unreachable', () =>
  withServer(reply('HTTP/1.1 200 OK\ncontent-length: 100\n\nhalf'), async ({ send }) => {
    const { body } = await send({ stream: true })
    const read = failureOf(buffer(body ?? Readable.from([])))
    expect(await read).toBeInstanceOf(Unreachable)
  }))

test('a caller that stops gets its own reason, before and during', () =>
  withServer(
    () => undefined,
    async ({ send }) => {
      const reason = new Error('stopped')
      expect(await failureOf(send({}, AbortSignal.abort(reason)))).toBe(reason)
      const stop = new AbortController()
      const sent = failureOf(send({}, stop.signal))
      setTimeout(() => stop.abort(reason), 30)
      expect(await sent).toBe(reason)
    },
  ))

test('the whole exchange has its own bound', () =>
  withServer(dripping('HTTP/1.1 200 OK\ncontent-length: 100000\n\n'), async ({ send }) => {
    expect(await failureOf(send({ totalMs: 60 }))).toMatchObject({
      message: 'GET it → no whole answer within 0.06 s',
    })
  }))

test('a refused connection proves that nothing was sent, and shows no query', async () => {
  await using http = createHttp()
  const request = { method: 'PUT', url: 'http://127.0.0.1:1/a?sig=canary', what: 'PUT part 1' } as const
  const failure = await failureOf(http.send(request, never))
  expect(neverSent(failure)).toBe(true)
  expect(failure).toMatchObject({ host: 'http://127.0.0.1:1', message: 'PUT part 1 → ECONNREFUSED' })
})

test('an address that is none is said so without showing it', async () => {
  await using http = createHttp()
  for (const url of ['http://[canary', 'ftp://canary/?canary']) {
    const failure = await failureOf(http.send({ method: 'GET', url, what: 'GET it' }, never))
    expect(`${String(failure)}${JSON.stringify(failure)}`).not.toContain('canary')
  }
})
