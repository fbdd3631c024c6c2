import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { untilEnded, wrongWithCompleted } from '../../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE } from '../../support/kill/service.ts'
import type { Service } from '../../support/kill/service.ts'
import { startRedisProxy } from '../../support/redis-proxy.ts'
import type { RedisProxy } from '../../support/redis-proxy.ts'
import { calmLocks, startLoggedWorker } from '../../support/redis-trouble.ts'

const PARTED_MS = 30_000
const timeout = 5 * PARTED_MS
/** A part takes half a second. */
const slow = { storageBytesPerSecond: 2 * PART_SIZE }

interface Moment {
  readonly when: string
  /** Calls `part` at that moment. */
  readonly watch: (service: Service, proxy: RedisProxy, part: () => void) => void
}

const moments: Moment[] = [
  {
    when: 'sending a part',
    watch: ({ fake }, _, part) => onRequest(fake, 'putPart file 3 #1', 'arrival', part),
  },
  {
    when: 'about to finish',
    watch: (_, proxy, part) => {
      let isFinishing = false
      proxy.reset((_n, _name, args) => {
        if (isFinishing) {
          // Once: it would part again those that come back.
          proxy.reset()
          part()
        }
        isFinishing ||= args.some((arg) => arg.includes('"state":"finishing"'))
      })
    },
  },
  {
    when: 'told nothing of its finish',
    watch: ({ fake }, _, part) => onRequest(fake, 'finishFileDataUpload file #1', 'before-reply', part),
  },
]

function onRequest({ hooks }: Service['fake'], request: string, phase: string, then: () => void): void {
  const name = createNamer()
  hooks.onRequest = (event) => {
    if (name(event) === request && event.phase === phase) then()
  }
}

test.concurrent.for(moments)(
  'row 11: a worker that hears nothing of Redis for 30 s, $when, loses its work to another and does no harm',
  { timeout },
  async ({ watch }) => {
    await using service = await openService({ env: calmLocks, fake: slow })
    await using proxy = await startRedisProxy(inject('redisUrl'))
    await using far = await startLoggedWorker(service.machine, proxy.url)
    const parted = Promise.withResolvers<void>()
    watch(service, proxy, () => {
      proxy.part()
      parted.resolve()
    })
    const sent = await service.upload(6 * PART_SIZE)
    await parted.promise
    const over = sleep(PARTED_MS)
    await using near = await startLoggedWorker(service.machine)

    const [ended] = await Promise.all([untilEnded(service, sent, 90_000), over])
    proxy.heal()
    await near[Symbol.asyncDispose]()
    // It says all that it still has to say before it takes this, and is refused.
    const wrong = await wrongWithCompleted(service, sent, 1)
    const next = await service.upload(PART_SIZE - 1, 'next.vrcw')

    expect(ended).toEqual([])
    expect(wrong).toEqual([])
    expect(await untilEnded(service, next, 60_000)).toEqual([])
    expect((await service.machine.stores.uploads.read(next.id))?.state).toBe('completed')
    expect(await wrongAfterwards(service)).toEqual([])
    expect(far.lines().length).toBeLessThan(30)
  },
)

/** Each blob of both versions is finished once, whoever asked for it. */
async function wrongAfterwards({ fake }: Service): Promise<string[]> {
  const finished = fake.ledger.filter(
    ({ operation, decided = 0 }) => operation === 'finishFileDataUpload' && decided < 300,
  )
  const each = finished.map(({ version, fileType }) => `${version} ${fileType}`)
  return [...fake.violations.map(String), ...each.filter((one, index) => each.indexOf(one) !== index)]
}
