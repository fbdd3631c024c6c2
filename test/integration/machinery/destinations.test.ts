import { expect, test } from 'vitest'
import { KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

/** Which bytes each version of a File has, by number. */
async function sizesOf({ fake }: Service, fileId: string): Promise<Record<number, number>> {
  const file = fake.files.find(({ id }) => id === fileId)
  return Object.fromEntries(
    (file?.versions ?? [])
      .filter(({ version }) => version > 0)
      .map(({ version, file }) => [version, file?.size ?? -1]),
  )
}

test('uploads to one name run one after the other, and end as versions in the order accepted', async () => {
  await using service = await openService({ workers: 2 })
  const ids: string[] = []
  for (let size = 1; size <= 6; size += 1) {
    ids.push(
      await service.upload({
        name: `build ${size}`,
        content: size,
        request: { destination: { name: 'world' } },
      }),
    )
  }
  const records = []
  for (const id of ids) records.push(await service.until(id))

  expect(records.map(({ state, version }) => [state, version?.number])).toEqual(
    [1, 2, 3, 4, 5, 6].map((number) => ['completed', number]),
  )
  expect(service.fake.files).toHaveLength(1)
  expect(await sizesOf(service, records[0]?.version?.remoteId ?? '')).toEqual({
    1: 1,
    2: 2,
    3: 3,
    4: 4,
    5: 5,
    6: 6,
  })
  expect(service.fake.maxOpenVersions).toBe(1)
  expect(service.requests('createFile')).toHaveLength(1)
  expect(service.fake.violations).toEqual([])
})

test('uploads to one File by its id and by its name, mixed, never run at once', async () => {
  await using service = await openService({ workers: 2 })
  const first = await service.upload({ name: 'one', content: 1, request: { destination: { name: 'world' } } })
  const fileId = (await service.until(first)).version?.remoteId ?? ''
  const ids: string[] = []
  for (let size = 2; size <= 7; size += 1) {
    const destination = size % 2 === 0 ? { fileId } : { name: 'world' }
    ids.push(await service.upload({ name: `build ${size}`, content: size, request: { destination } }))
  }

  for (const [index, id] of ids.entries()) {
    expect(await service.until(id)).toMatchObject({
      state: 'completed',
      version: { remoteId: fileId, number: index + 2 },
    })
  }
  expect(await sizesOf(service, fileId)).toEqual({ 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7 })
  expect(service.fake.maxOpenVersions).toBe(1)
  expect(service.fake.violations).toEqual([])
})

test('the same name on two accounts means two Files', async () => {
  await using service = await openService({
    fake: {
      users: [
        { username: 'ada', password: 'lovelace-1815' },
        { username: 'bob', password: 'bobs-password' },
      ],
    },
  })
  await service.addAccount({ id: 'bob', credentials: { username: 'bob', password: 'bobs-password' } })
  const ids = [
    await service.upload({ name: 'world', content: 1 }),
    await service.upload({ name: 'world', content: 2, account: 'bob' }),
  ]
  for (const id of ids)
    expect(await service.until(id)).toMatchObject({ state: 'completed', version: { number: 1 } })
  expect(service.fake.files.map(({ owner }) => owner).toSorted()).toEqual(['ada', 'bob'])
})

test('newFile makes another File, and the name means that one from then on', async () => {
  await using service = await openService({ workers: 2 })
  const request = { destination: { name: 'world' } }
  const upload = async (size: number, more = {}): Promise<string> =>
    service.upload({ name: `build ${size}`, content: size, request: { ...request, ...more } })
  const ids = [
    await upload(1),
    await upload(2),
    await upload(3, { newFile: true }),
    await upload(4),
    await upload(5),
  ]
  const places = []
  for (const id of ids) {
    const { state, version } = await service.until(id)
    expect(state).toBe('completed')
    places.push({ file: version?.remoteId, number: version?.number })
  }

  const [old, , fresh] = places
  expect(fresh?.file).not.toBe(old?.file)
  expect(places.map(({ number }) => number)).toEqual([1, 2, 1, 2, 3])
  expect(places.slice(2).every(({ file }) => file === fresh?.file)).toBe(true)
  expect(service.fake.violations).toEqual([])
})

test('a File that was deleted at VRChat is made anew under its name', async () => {
  await using service = await openService()
  const request = { destination: { name: 'world' } }
  const first = await service.until(await service.upload({ name: 'a', content: 1, request }))
  const cookie = service.requests('createFile')[0]?.headers.cookie ?? ''
  const agent = service.requests('createFile')[0]?.headers['user-agent'] ?? ''
  const headers = { cookie, 'user-agent': agent }
  await fetch(`${service.fake.baseUrl}/file/${first.version?.remoteId}`, { method: 'DELETE', headers })

  const second = await service.until(await service.upload({ name: 'b', content: 2, request }))
  expect(second).toMatchObject({ state: 'completed', version: { number: 1 } })
  expect(second.version?.remoteId).not.toBe(first.version?.remoteId)
  const third = await service.until(await service.upload({ name: 'c', content: 3, request }))
  expect(third).toMatchObject({ version: { number: 2, remoteId: second.version?.remoteId } })
})

test('several uploads to one destination that fail leave it free for the next', async () => {
  await using service = await openService()
  const request = { destination: { name: 'world' } }
  const good = await service.until(await service.upload({ name: 'a', content: 200 * KIB, request }))
  const missing = await service.upload({ name: 'does-not-exist', request })
  const next = await service.upload({ name: 'b', content: 10, request })

  expect(await service.until(missing)).toMatchObject({ state: 'failed', error: { class: 'source-refused' } })
  expect(await service.until(next)).toMatchObject({
    state: 'completed',
    version: { number: 2, remoteId: good.version?.remoteId },
  })
  expect(await service.stores.uploads.owner(`vrchat/${good.version?.remoteId}`)).toBeUndefined()
})
