import { expect, test } from 'vitest'
import { createGate } from '../support/service.ts'
import { openSite, PART_SIZE } from '../support/site.ts'

test('serve and worker on their own join the Redis of a standalone, and outlive it', async () => {
  await using site = await openSite()
  const bytes = await site.source('world.vrcw', 3 * PART_SIZE)
  const standalone = await site.start()
  const redis = await site.redisPids()
  await site.addAccount()
  const worker = await site.start('worker')

  standalone.signal('SIGTERM')
  const { code } = await standalone.ended
  const left = await site.redisPids()
  // The port is free now.
  const serve = await site.start('serve')
  const id = await site.upload('world.vrcw')
  const { version } = await site.until(id)

  expect({ code, left }).toEqual({ code: 0, left: redis })
  expect(await site.fake.bytesOf(version?.remoteId ?? '', 1, 'file')).toEqual(bytes)
  for (const role of [serve, worker]) {
    role.signal('SIGTERM')
    expect((await role.ended).code).toBe(0)
  }
  // Theirs was only borrowed: the next standalone finds it as it was, and puts it away.
  expect(await site.redisPids()).toEqual(redis)
  const next = await site.start()
  next.signal('SIGINT')
  expect((await next.ended).code).toBe(0)
  expect(await site.redisPids()).toEqual([])
})

test("a token of one's own is all that opens the API, and the first line does not name a file for it", async () => {
  await using site = await openSite()
  const STEVEDORE_TOKEN = 'a-token-of-ones-own'
  const { said } = await site.start('standalone', { STEVEDORE_TOKEN })

  expect(said()).toContain('its token is that of STEVEDORE_TOKEN')
  expect(said()).not.toContain(STEVEDORE_TOKEN)
  expect(await site.cli(['list'], { env: { STEVEDORE_TOKEN } })).toMatchObject({ code: 0 })
  expect(await site.cli(['list'])).toMatchObject({ code: 1, out: '' })
})

test.each(['serve', 'worker'] as const)('%s says what it needs where there is no Redis', async (role) => {
  await using site = await openSite()

  const { code, err } = await site.launch(role).ended

  expect(code).toBe(1)
  expect(err).toBe(
    `stevedore ${role}: REDIS_URL is not set, and no Stevedore runs its own Redis in ${site.dataDir}: ` +
      'set REDIS_URL, or start the standalone service (`npm start`) there first\n',
  )
})

test('a second one with the same folder and port ends with what to do, and disturbs nothing', async () => {
  await using site = await openSite()
  const { passed, open } = createGate()
  const held = Promise.withResolvers<void>()
  site.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== 'putPart' || phase !== 'arrival') return
    held.resolve()
    await passed
  }
  const bytes = await site.source('world.vrcw', 6 * PART_SIZE)
  // It leaves parts to others that the account would allow.
  await site.start('standalone', { STEVEDORE_PARTS_AT_ONCE: '1' })
  const redis = await site.redisPids()
  await site.addAccount({ partsAtOnce: 4 })
  const id = await site.upload('world.vrcw')
  await held.promise

  const startedAt = performance.now()
  const { code, out, err } = await site.launch('standalone').ended
  const tookMs = performance.now() - startedAt
  open()
  const { version } = await site.until(id)

  expect({ code, err }).toEqual({
    code: 1,
    err: `stevedore standalone: Port ${new URL(site.url).port} of 127.0.0.1 is in use: end what runs there, or set STEVEDORE_PORT to another\n`,
  })
  expect(out).not.toContain('listens at')
  // It took no part that it would first have had to end.
  expect(tookMs).toBeLessThan(10_000)
  expect(await site.redisPids()).toEqual(redis)
  expect(await site.fake.bytesOf(version?.remoteId ?? '', 1, 'file')).toEqual(bytes)
  const { receivedBytes, declaredBytes } = await site.fake.totals()
  expect(receivedBytes).toBe(declaredBytes)
})
