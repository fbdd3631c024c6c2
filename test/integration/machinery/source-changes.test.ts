import { randomBytes } from 'node:crypto'
import { appendFile, rename, utimes, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { HookEvent } from '../../fakes/vrchat/server.ts'
import { KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const SIZE = 256 * KIB + 5

/** Does something at the first request that fits, or at each. */
function at(
  { fake }: Service,
  fits: (event: HookEvent) => boolean,
  act: () => Promise<unknown>,
  times = 1,
): { readonly done: () => number } {
  let done = 0
  fake.hooks.onRequest = async (event) => {
    if (done >= times || !fits(event)) return
    done += 1
    await act()
  }
  return { done: () => done }
}

const isPart =
  (number: number, phase: HookEvent['phase'] = 'arrival') =>
  (event: HookEvent): boolean =>
    event.operation === 'putPart' && event.partNumber === number && event.phase === phase

const creates = ({ operation, phase }: HookEvent): boolean =>
  operation === 'createFileVersion' && phase === 'before-reply'

/** Waits for the end and checks that what arrived, if anything, is what the source holds now. */
async function expectWhole(service: Service, id: string, content: () => Buffer): Promise<void> {
  const record = await service.until(id)
  expect(record).toMatchObject({ state: 'completed', epoch: 2, version: { size: content().length } })
  const { remoteId = '', number = 0 } = record.version ?? {}
  expect((await service.fake.bytesOf(remoteId, Number(number), 'file')).equals(content())).toBe(true)
  expect(service.fake.openVersions()).toEqual([])
  expect(service.fake.files).toHaveLength(1)
}

test('row 30: a source that changed before it was hashed is sent as it is then', async () => {
  await using service = await openService({ workers: 0 })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  await service.machine.source('a.vrcw', 20)
  await service.startWorker()
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, size: 20 })
})

test.each(['createFile', 'createFileVersion', 'startFileDataUpload'] as const)(
  'row 30: a source that grows at %s, after it was hashed, is sent anew as a whole',
  async (operation) => {
    await using service = await openService()
    let content = randomBytes(SIZE)
    const path = `${service.machine.folder}/a.vrcw`
    at(
      service,
      (event) => event.operation === operation && event.phase === 'arrival',
      async () => {
        content = Buffer.concat([content, Buffer.from('more')])
        await appendFile(path, 'more')
      },
    )
    await expectWhole(service, await service.upload({ name: 'a.vrcw', content }), () => content)
    expect(service.fake.violations).toEqual([])
  },
)

const changes = {
  'cut short': async (path: string) => {
    const content = randomBytes(100 * KIB)
    await writeFile(path, content)
    return content
  },
  'written to, with the same size': async (path: string) => {
    const content = randomBytes(SIZE)
    await writeFile(path, content)
    return content
  },
  'replaced by another file of the same size and time': async (path: string) => {
    const content = randomBytes(SIZE)
    await writeFile(`${path}.new`, content)
    await utimes(`${path}.new`, 1000, 1000)
    await rename(`${path}.new`, path)
    return content
  },
  'written to, with size and time as before': async (path: string) => {
    const content = randomBytes(SIZE)
    await writeFile(path, content)
    await utimes(path, 1000, 1000)
    return content
  },
}

test.each(Object.entries(changes))(
  'row 30: a source %s during sending is sent anew as a whole',
  async (_, change) => {
    await using service = await openService({ limits: { partsAtOnce: 1 } })
    let content = randomBytes(SIZE)
    const path = await service.machine.source('a.vrcw', content)
    await utimes(path, 1000, 1000)
    const changed = at(service, isPart(2), async () => {
      content = await change(path)
    })
    await expectWhole(service, await service.upload({ name: 'a.vrcw' }), () => content)
    expect(changed.done()).toBe(1)
  },
)

test('row 30: a source that is only touched during sending is sent anew', async () => {
  await using service = await openService({ limits: { partsAtOnce: 1 } })
  const content = randomBytes(SIZE)
  const id = await service.upload({ name: 'a.vrcw', content })
  at(service, isPart(2), async () => utimes(`${service.machine.folder}/a.vrcw`, 5, 5))
  await expectWhole(service, id, () => content)
})

test('row 30: a source that changes after its last part was sent is noticed before finish', async () => {
  await using service = await openService({ limits: { partsAtOnce: 1 } })
  let content = randomBytes(SIZE)
  const id = await service.upload({ name: 'a.vrcw', content })
  at(service, isPart(5, 'before-reply'), async () => {
    content = randomBytes(SIZE)
    await writeFile(`${service.machine.folder}/a.vrcw`, content)
  })
  await expectWhole(service, id, () => content)
  const finished = service.requests('finishFileDataUpload').map(({ version }) => version)
  // File and signature of the one version that is there: the one with the old bytes was never finished.
  expect(finished).toHaveLength(2)
})

test('row 30: a source that changes between file and signature is sent anew', async () => {
  await using service = await openService()
  let content = randomBytes(SIZE)
  const id = await service.upload({ name: 'a.vrcw', content })
  at(
    service,
    ({ operation, phase }) => operation === 'finishFileDataUpload' && phase === 'before-reply',
    async () => {
      content = randomBytes(SIZE)
      await writeFile(`${service.machine.folder}/a.vrcw`, content)
    },
  )
  await expectWhole(service, id, () => content)
})

test.each([
  ['by its size', async (path: string) => appendFile(path, 'x')],
  ['by its time', async (path: string) => utimes(path, Date.now() / 1000, Date.now() / 1000 + 5)],
])(
  'row 30: a source that keeps changing, %s, is started over once, and then fails with the reason',
  async (_, change) => {
    await using service = await openService()
    const id = await service.upload({ name: 'a.vrcw', content: SIZE })
    const changed = at(service, creates, async () => change(`${service.machine.folder}/a.vrcw`), 10)
    const record = await service.until(id)

    expect(record).toMatchObject({ state: 'failed', epoch: 2, error: { class: 'source-changed' } })
    expect(record.error?.message).toContain('started over for this before')
    expect(changed.done()).toBe(2)
    expect(service.fake.files).toEqual([])
    expect(service.requests('finishFileDataUpload')).toEqual([])
    expect(service.fake.violations).toEqual([])
  },
)

test('row 30: a source that vanishes during sending fails, and leaves nothing behind', async () => {
  await using service = await openService({ limits: { partsAtOnce: 1 } })
  const id = await service.upload({ name: 'a.vrcw', content: SIZE })
  const path = `${service.machine.folder}/a.vrcw`
  at(service, isPart(2), async () => rename(path, `${path}.gone`))
  const record = await service.until(id)

  expect(record).toMatchObject({ state: 'failed', error: { class: 'source-refused' } })
  expect(record.error?.message).toContain('does not exist')
  expect(service.fake.files).toEqual([])
})

test('row 30: a retry after the source settled down completes', async () => {
  await using service = await openService()
  const id = await service.upload({ name: 'a.vrcw', content: SIZE })
  at(service, creates, async () => appendFile(`${service.machine.folder}/a.vrcw`, 'x'), 2)
  expect(await service.until(id)).toMatchObject({ state: 'failed' })
  await service.stores.uploads.want(id, 'retry')
  expect(await service.until(id)).toMatchObject({ state: 'completed', size: SIZE + 2 })
})
