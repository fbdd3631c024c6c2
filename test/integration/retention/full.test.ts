import { expect, test } from 'vitest'
import { uploadJobId } from '#shared/queues.ts'
import { startTestRedis } from '../../support/redis.ts'
import { eventually, openService } from '../../support/service.ts'
import { HEAVY_MS, LONG_MS, startOther } from './stage.ts'

const RETAIN_MS = 4000

test(
  'what is old is removed from a Redis that is full, and so makes room',
  { timeout: HEAVY_MS },
  async () => {
    await using server = await startTestRedis()
    await using service = await openService({ redisUrl: server.url, workers: 0 })
    const { redis, keys, uploads, queues } = service.stores
    for (let count = 0; count < 300; count += 1) {
      const id = await service.upload({ name: 'a.vrca', content: 1 })
      await uploads.want(id, 'cancel')
    }
    const jobId = uploadJobId('upl_other', 1)
    // With jobs that ended as well: their removal must not wait for room.
    await queues.addUploads([{ id: 'upl_other', run: 1, fileName: 'other' }])
    // It leads before Redis is full, and long before anything is old.
    await using _strict = await startOther(service, { STEVEDORE_RETAIN_UPLOADS_MS: String(RETAIN_MS) })
    await eventually(async () => (await redis.exists(keys.leader)) === 1, LONG_MS)

    const isOver = async (): Promise<boolean> =>
      ['completed', 'failed', 'unknown'].includes(await queues.uploads.getJobState(jobId))
    await eventually(isOver, LONG_MS)

    await redis.config('SET', 'maxmemory', '1mb')
    await using _room = {
      [Symbol.asyncDispose]: async () => void (await redis.config('SET', 'maxmemory', '0')),
    }

    await eventually(async () => (await redis.zcard(keys.ended)) === 0, LONG_MS)
    await eventually(async () => (await queues.uploads.getJobState(jobId)) === 'unknown', LONG_MS)
    expect((await redis.keys(`${keys.prefix}:upload:*`)).length).toBe(0)
  },
)
