import { expect, inject, test } from 'vitest'
import { promoteMisdated } from '#worker/delays.ts'
import { openMachine } from '../../support/machine.ts'

/** A job that was put off for a second, looked at when Redis says that it is so much later, in ms. */
async function lookedAt(later: number) {
  await using machine = await openMachine({ redisUrl: inject('redisUrl') })
  const { redis, queues } = machine.stores
  const job = await queues.uploads.add('a.vrca', { upload: 'upl_1' }, { jobId: 'upl_1-r1', delay: 1000 })
  const told = await promoteMisdated(redis, queues.uploads, Date.now() + later)
  return { told, state: await job.getState() }
}

test('a job that was put off by a clock far ahead of Redis is let run, and told', async () => {
  expect(await lookedAt(-60_000)).toEqual({ told: ['upl_1-r1'], state: 'waiting' })
})

test('a job that is long due and that nobody took is let run without a word: no clock has to be wrong for that', async () => {
  expect(await lookedAt(60_000)).toEqual({ told: [], state: 'waiting' })
})

test('a job that was put off rightly stays so', async () => {
  expect(await lookedAt(0)).toEqual({ told: [], state: 'delayed' })
})
