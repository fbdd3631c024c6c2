import { expect } from 'vitest'
import { anyUpload } from './people-steps.ts'
import { expire, removeAccount } from './rules.ts'
import { accountIds, addAccount } from './stage.ts'
import type { Step } from './stage.ts'
import { HOLDER, PLACES } from './world.ts'

const HOUR_MS = 3_600_000

export const changeAccount: Step = async ({ world, real, redis, keys }, chance) => {
  const id = chance.of(accountIds) ?? 'a'
  const account = world.accounts.get(id)
  const to =
    chance.of([
      'parked',
      'needs-login',
      'needs-2fa',
      'unparked',
      'unparked',
      'ready',
      'ready',
      'ready',
    ] as const) ?? 'ready'
  if (account === undefined) return undefined
  if (to === 'parked') await real.run('park', id, HOUR_MS, 'slow down')
  else if (to === 'unparked') await redis.del(keys.accountParked(id))
  else await real.accounts.setState(id, to)
  if (to === 'parked' || to === 'unparked') account.isParked = to === 'parked'
  else account.state = to
  return `${id} is ${to}`
}

export const removeOrAddAccount: Step = async (stage, chance) => {
  const id = chance.of(accountIds) ?? 'a'
  if (await addAccount(stage, id)) return `${id} is added`
  const open = await stage.real.accounts.remove(id)
  expect(open).toBe(removeAccount(stage.world, id))
  return `${id} is to be removed, ${open} are open`
}

/** Hours pass for one upload. */
export const passDeadline: Step = async (stage, chance) => {
  const upload = anyUpload(stage, chance)
  const { redis, keys } = stage
  if (upload === undefined || (await redis.zscore(keys.deadlines, upload.id)) === null) return undefined
  await redis.hset(keys.upload(upload.id), 'deadline', Date.now() - 1)
  await redis.zadd(keys.deadlines, Date.now() - 1, upload.id)
  upload.isOverdue = true
  return `the deadline of ${upload.id} passes`
}

export const failOverdue: Step = async ({ world, real }) => {
  const overdue = await real.uploads.overdue(Date.now(), 100)
  for (const id of overdue) {
    await real.uploads.expire(id)
    const upload = world.uploads.get(id)
    if (upload !== undefined) expire(upload)
  }
  return `overdue fail: ${overdue.join(', ')}.`
}

export const holdOrRelease: Step = async ({ world, real }, chance) => {
  const place = chance.of(PLACES) ?? ''
  if (world.held.delete(place)) {
    await real.overview.release(place, HOLDER)
    return `${place} is released`
  }
  const owner = await real.overview.hold(place, HOLDER, HOUR_MS)
  if (owner === undefined) world.held.add(place)
  return `${place} is to be held: ${owner ?? 'done'}.`
}
