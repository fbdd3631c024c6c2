import { once } from 'node:events'
import { connect } from 'node:net'
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pino } from 'pino'
import { expect, inject, test } from 'vitest'
import { startProducer } from '#producer/start.ts'
import { openToken } from '#shared/data-dir.ts'
import { openMachine } from '../../support/machine.ts'
import { startProgram } from '../../support/processes.ts'
import { startTestRedis } from '../../support/redis.ts'

const silent = pino({ level: 'silent' })

test('the producer listens with a token of its own making, and stops', async () => {
  await using machine = await openMachine({ redisUrl: inject('redisUrl') })
  const config = { ...machine.config, port: 0 }
  const producer = await startProducer({ config, boot: machine.boot, log: silent })
  const headers = { authorization: `Bearer ${await openToken(config.dataDir)}` }

  const answer = await fetch(`${producer.url}/v1/uploads`, { headers })
  await producer[Symbol.asyncDispose]()

  expect(await answer.json()).toEqual({ items: [], next: null })
  await expect(fetch(producer.url)).rejects.toThrow('fetch failed')
})

test('a port that is taken is said in words', async () => {
  await using machine = await openMachine({ redisUrl: inject('redisUrl') })
  await using first = await startProducer({
    config: { ...machine.config, port: 0 },
    boot: machine.boot,
    log: silent,
  })
  const config = { ...machine.config, port: Number(new URL(first.url).port) }

  const second = startProducer({ config, boot: machine.boot, log: silent })

  await expect(second).rejects.toThrow(/in use.*STEVEDORE_PORT/)
})

test('a client that never ends its request does not keep the producer from stopping', async () => {
  await using machine = await openMachine({ redisUrl: inject('redisUrl') })
  const config = { ...machine.config, port: 0, graceMs: 100 }
  const producer = await startProducer({ config, boot: machine.boot, log: silent })
  const socket = connect(Number(new URL(producer.url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write('POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n')
  const closed = once(socket, 'close')
  socket.resume().on('error', () => {})

  await producer[Symbol.asyncDispose]()

  await expect(closed).resolves.toBeDefined()
})

test('`serve` runs as a process of its own, and SIGTERM ends it well', async () => {
  await using machine = await openMachine({ redisUrl: inject('redisUrl') })
  const env = { ...process.env, ...machine.env, STEVEDORE_PORT: '0', STEVEDORE_LOG_LEVEL: 'info' }
  const main = resolve(import.meta.dirname, '../../../src/producer/main.ts')
  await using resources = new AsyncDisposableStack()
  const serve = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  resources.defer(() => void serve.kill('SIGKILL'))
  const ended = once(serve, 'exit')
  const url = await saidUrl(serve.stdout)
  const { status } = await fetch(`${url}/readyz`)

  serve.kill('SIGTERM')

  expect(status).toBe(200)
  expect(await ended).toEqual([0, null])
})

test.concurrent.for(['src/producer/main.ts', 'src/worker/main.ts'])(
  'row 8: %s does not start on a Redis that can lose uploads, and says what to do',
  async (program) => {
    await using server = await startTestRedis()
    await using machine = await openMachine({ redisUrl: server.url })
    const env = { ...machine.env, STEVEDORE_PORT: '0', STEVEDORE_ALLOW_UNSAFE_REDIS: 'false' }

    const { code, err } = await startProgram([program], { env }).ended

    expect(code).toBe(1)
    expect(err).toMatch(
      /This Redis is not safe for uploads:\n {2}- AOF is off[^]*`appendonly yes`[^]*STEVEDORE_ALLOW_UNSAFE_REDIS=true/,
    )
  },
)

/** Where a process says that it listens. */
async function saidUrl(lines: Readable): Promise<string> {
  let said = ''
  for await (const chunk of lines.iterator({ destroyOnReturn: false })) {
    said += String(chunk)
    const url = /"url":"(http:[^"]+)"/.exec(said)?.[1]
    if (url !== undefined) return url
  }
  throw new Error(`It never said where it listens: ${said}`)
}
