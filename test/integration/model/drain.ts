import { expect } from 'vitest'
import { isEnded, isRunning } from '#shared/records/upload.ts'
import { compare } from './compare.ts'
import { transition } from './change-rules.ts'
import { dispatch } from './rules.ts'
import type { Stage } from './stage.ts'
import { HOLDER, uploadsOf } from './world.ts'

/** Lets everything that was accepted end, whatever became of it: nothing is stuck, and nothing is left over. */
export async function drain(stage: Stage): Promise<void> {
  const { world, real, redis, keys } = stage
  await open(stage)
  for (;;) {
    const started = (await real.uploads.dispatch(100)).map(({ id }) => id)
    dispatch(world, 100, started)
    const running = uploadsOf(world, ({ state }) => isRunning(state))
    if (running.length === 0) break
    for (const upload of running) {
      const record = await real.uploads.read(upload.id)
      if (record === undefined) throw new Error(`${upload.id} is gone`)
      await real.uploads.transition(record, { state: 'skipped' })
      transition(world, upload, record, { state: 'skipped' })
    }
    stage.log.push(`all that run end: ${running.map(({ id }) => id).join(', ')}`)
    await compare(stage)
  }
  expect(uploadsOf(world, ({ state }) => !isEnded(state))).toEqual([])
  const left = (await redis.keys(`${keys.prefix}:*`)).map((key) => key.slice(keys.prefix.length + 1))
  expect(
    left.filter((key) => /^(line|destination|waiting|active|running|deadlines|accounts:waiting)/.test(key)),
  ).toEqual([])
  expect(
    left.filter((key) => key.startsWith('upload:') && !world.uploads.has(key.split(':')[1] ?? '')),
  ).toEqual([])
}

/** Everybody can work again. */
async function open({ world, real, redis, keys, log }: Stage): Promise<void> {
  log.push('every account can work, every place is free')
  for (const [id, account] of world.accounts) {
    await redis.del(keys.accountParked(id))
    await real.accounts.setState(id, 'ready')
    Object.assign(account, { isParked: false, state: 'ready' })
  }
  for (const place of world.held) await real.overview.release(place, HOLDER)
  world.held.clear()
}
