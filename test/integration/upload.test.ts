import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterEach, expect, inject, test } from 'vitest'
import { startFakeVrchat } from '../fakes/vrchat/server.ts'
import type { FakeVrchat, FakeVrchatOptions } from '../fakes/vrchat/server.ts'
import { openMachine } from '../support/machine.ts'
import type { Machine } from '../support/machine.ts'

const KIB = 1024
let open: AsyncDisposableStack | undefined

afterEach(async () => {
  await open?.disposeAsync()
  open = undefined
})

interface Setup {
  fake: FakeVrchat
  machine: Machine
}

async function setup(options: FakeVrchatOptions = {}): Promise<Setup> {
  open = new AsyncDisposableStack()
  const fake = open.use(
    await startFakeVrchat({
      users: [{ username: 'ada', password: 'lovelace-1815' }],
      multipartThreshold: 64 * KIB,
      minPartSize: 1,
      ...options,
    }),
  )
  const machine = open.use(await openMachine({ redisUrl: inject('redisUrl') }))
  await machine.addAccount({
    settings: { baseUrl: fake.baseUrl, contact: 'ops@stevedore.test', minPartSize: 1 },
    credentials: { username: 'ada', password: 'lovelace-1815' },
  })
  open.use(await machine.startWorker())
  return { fake, machine }
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

test.each([
  ['an empty file', 0],
  ['one byte', 1],
  ['exactly one part', 64 * KIB],
  ['one byte more than a part', 64 * KIB + 1],
  ['many parts', 1024 * KIB + 17],
])('%s arrives whole as version 1', async (name, size) => {
  const { fake, machine } = await setup()
  const path = await machine.source(`${name}.vrca`, size)

  const id = await machine.accept({ path, request: { destination: { name }, partSize: 64 * KIB } })
  const record = await machine.until(id)

  expect(record).toMatchObject({ state: 'completed', version: { number: 1, size } })
  expect(await fake.sha256Of(record.version?.remoteId ?? '', 1, 'file')).toBe(await sha256(path))
  expect(fake.openVersions()).toEqual([])
  expect(fake.violations).toEqual([])
})
