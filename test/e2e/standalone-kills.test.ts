import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createGate, eventually } from '../support/service.ts'
import { openSite, PART_SIZE } from '../support/site.ts'
import type { Site } from '../support/site.ts'

/** A part takes a quarter of a second. */
const slow = { storageBytesPerSecond: 4 * PART_SIZE }
const partsAtOnce = 2

/** Looks again and again which Redis servers run on the data directory; answers all different sights. */
function watchRedis(site: Site): { readonly seen: () => Promise<string[]> } {
  const sights = new Set<string>()
  const stop = new AbortController()
  const watching = (async () => {
    for (; !stop.signal.aborted; await sleep(100)) sights.add((await site.redisPids()).join(' '))
  })()
  return {
    seen: async () => {
      stop.abort()
      await watching
      return [...sights]
    },
  }
}

/** What storage was sent beyond what it needed, in bytes: of files, and of signatures. */
async function sentAgain({ fake }: Site): Promise<{ readonly file: number; readonly signature: number }> {
  const { blobs } = await fake.totals()
  const of = (type: string): number =>
    blobs
      .filter(({ fileType }) => fileType === type)
      .reduce((sum, { receivedBytes, declaredSize }) => sum + receivedBytes - declaredSize, 0)
  return { file: of('file'), signature: of('signature') }
}

async function arrivedAs(site: Site, id: string, bytes: Buffer): Promise<boolean> {
  const { state, version, error } = await site.show(id)
  expect({ state, version: version?.number, error }).toEqual({ state: 'completed', version: 1, error: null })
  return bytes.equals(await site.fake.bytesOf(version?.remoteId ?? '', 1, 'file'))
}

test('killed in mid-transfer, the next start adopts the Redis and goes on where it was', async () => {
  await using site = await openSite({ fake: slow })
  const bytes = await site.source('world.vrcw', 20 * PART_SIZE + 1)
  const first = await site.start()
  const [redis] = await site.redisPids()
  const watch = watchRedis(site)
  await site.addAccount({ partsAtOnce })
  const id = await site.upload('world.vrcw')
  await site.until(id, ({ parts }) => parts.done >= 6)

  first.signal('SIGKILL')
  const { code } = await first.ended
  await site.start()
  const after = await site.show(id)
  const end = await site.until(id)

  expect(code).toBe('SIGKILL')
  expect(after.parts.done).toBeGreaterThanOrEqual(6)
  expect(await arrivedAs(site, id, bytes)).toBe(true)
  expect(await watch.seen()).toEqual([String(redis)])
  const again = await sentAgain(site)
  expect(again.file).toBeLessThanOrEqual(partsAtOnce * PART_SIZE)
  expect(again.signature).toBe(0)
  expect(end.bytesResent).toBeLessThanOrEqual(partsAtOnce * PART_SIZE)
  expect(site.fake.violations).toEqual([])
})

test('row 12: everything killed at once, Redis included: the next start loses nothing that was accepted', async () => {
  await using site = await openSite({ fake: slow })
  const names = ['one.vrca', 'two.vrca', 'three.vrca', 'four.vrca']
  const contents = await Promise.all(
    names.map(async (name) => site.source(name, 8 * PART_SIZE + name.length)),
  )
  const first = await site.start()
  await site.addAccount({ partsAtOnce, maxActiveUploads: 1 })
  const ids: string[] = []
  for (const name of names.slice(0, 3)) ids.push(await site.upload(name))
  const [running = ''] = ids
  await site.until(running, ({ parts }) => parts.done >= 3)
  const [redis = 0, ...others] = await site.redisPids()
  // Accepted, and the machine is gone a moment later.
  ids.push(await site.upload('four.vrca'))

  process.kill(redis, 'SIGKILL')
  first.signal('SIGKILL')
  await first.ended
  while ((await site.redisPids()).length > 0) await sleep(10)
  await site.start()
  const back = await site.ask('GET', '/v1/uploads')
  const [second, ...more] = await site.redisPids()
  for (const id of ids) await site.until(id)

  expect([others, more]).toEqual([[], []])
  expect(second).not.toBe(redis)
  expect(back.json).toMatchObject({ items: ids.toReversed().map((id) => ({ id })) })
  for (const [index, id] of ids.entries()) {
    expect(await arrivedAs(site, id, contents[index] ?? Buffer.of())).toBe(true)
  }
  const again = await sentAgain(site)
  expect(again.file).toBeLessThanOrEqual(partsAtOnce * PART_SIZE)
  expect(site.fake.maxOpenVersions).toBe(1)
  expect([site.fake.files.length, site.fake.violations]).toEqual([names.length, []])
})

test('row 13: Ctrl-C under npm, which arrives twice, lets parts end and stops the Redis', async () => {
  await using site = await openSite({ fake: slow })
  const bytes = await site.source('world.vrcw', 12 * PART_SIZE)
  const first = await site.npmStart()
  await site.addAccount({ partsAtOnce })
  const id = await site.upload('world.vrcw')
  await site.until(id, ({ parts }) => parts.done >= 3)

  // The terminal tells all of the group, and npm hands on to its child what it was told.
  first.signalGroup('SIGINT')
  const { code, out, err } = await first.ended
  const redisAfterwards = await site.redisPids()
  await site.start()
  await site.until(id)

  expect({ code, err }).toEqual({ code: 0, err: expect.not.stringMatching(/npm err|SIGINT| {4}at /) })
  expect(out.match(/stopping: parts under way may finish/g)).toHaveLength(1)
  expect(redisAfterwards).toEqual([])
  expect(await arrivedAs(site, id, bytes)).toBe(true)
  expect(await sentAgain(site)).toEqual({ file: 0, signature: 0 })
  expect(site.fake.violations).toEqual([])
})

test('row 13: signals within milliseconds are one; one that comes later ends at once, and the Redis stays', async () => {
  await using site = await openSite()
  const { passed, open } = createGate()
  const held = Promise.withResolvers<void>()
  site.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== 'putPart' || phase !== 'arrival') return
    held.resolve()
    await passed
  }
  const bytes = await site.source('world.vrcw', 4 * PART_SIZE)
  const first = await site.start('standalone', {}, 'apart')
  const redis = await site.redisPids()
  await site.addAccount({ partsAtOnce })
  const id = await site.upload('world.vrcw')
  await held.promise

  first.signalGroup('SIGINT')
  await sleep(3)
  first.signalGroup('SIGINT')
  await first.untilSaid('stopping')
  // Beyond the second in which two are one, and far from the 20 s that parts are given.
  const stillRuns = await Promise.race([first.ended.then(() => false), sleep(1500).then(() => true)])
  const secondAt = performance.now()
  first.signalGroup('SIGINT')
  const { code } = await first.ended
  const tookMs = performance.now() - secondAt
  const redisAfterwards = await site.redisPids()
  open()
  await site.start()
  await site.until(id)

  expect({ stillRuns, code }).toEqual({ stillRuns: true, code: 130 })
  expect(tookMs).toBeLessThan(3000)
  expect([redis.length, redisAfterwards, await site.redisPids()]).toEqual([1, redis, redis])
  expect(await arrivedAs(site, id, bytes)).toBe(true)
  expect((await sentAgain(site)).file).toBeLessThanOrEqual(partsAtOnce * PART_SIZE)
  expect(site.fake.violations).toEqual([])
})

test('row 13: Ctrl-C while the service starts leaves nothing behind', async () => {
  await using site = await openSite()
  const starting = site.launch('standalone', {}, 'apart')
  // Its Redis runs, and the API not yet.
  await eventually(async () => (await site.redisPids()).length > 0)

  starting.signalGroup('SIGINT')
  const { code, err } = await starting.ended

  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(await site.redisPids()).toEqual([])
})
