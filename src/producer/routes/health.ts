import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { clockSkewMs, findProblems } from '#shared/redis/requirements.ts'
import type { App, Context } from '../context.ts'
import { redisIsAway } from '../failures.ts'
import { type FieldError, Problem, retryAfter } from '../problem.ts'
import { refusals } from './answers.ts'

/** Leases and delays of several hosts no longer agree beyond this. */
const MOST_SKEW_MS = 5000
const REDIS_WITHIN_MS = 3000
/** Whoever asks more often gets the last answer: these routes are open to everybody. */
const FRESH_MS = 500

const tags = ['health']
const config = { access: 'open' } as const

export function healthRoutes(app: App, context: Context): void {
  app.get(
    '/healthz',
    {
      config,
      exposeHeadRoute: true,
      schema: {
        tags,
        summary: 'Whether this process lives',
        security: [],
        response: { 200: z.object({ status: z.literal('ok') }) },
      },
    },
    async () => ({ status: 'ok' as const }),
  )

  const problems = remembered(() => findRed(context))
  app.get(
    '/readyz',
    {
      config,
      exposeHeadRoute: true,
      schema: {
        tags,
        summary: 'Whether uploads can be accepted; says why not',
        security: [],
        response: { 200: z.object({ status: z.literal('ready') }), '5xx': refusals['5xx'] },
      },
    },
    async () => {
      const errors = await problems()
      if (errors.length === 0) return { status: 'ready' as const }
      const detail = errors.map(({ message }) => message).join('; ')
      throw new Problem(503, `Not ready: ${detail}`, { errors, headers: retryAfter(2000) })
    },
  )
}

async function findRed({ redis, config, log }: Context): Promise<FieldError[]> {
  const look = async (): Promise<FieldError[]> => {
    if (redis.status !== 'ready') throw redisIsAway()
    const [skew, unsafe] = await Promise.all([clockSkewMs(redis), findProblems(redis)])
    return [
      ...(Math.abs(skew) > MOST_SKEW_MS ? [{ path: 'clock', message: skewed(skew) }] : []),
      ...(config.allowUnsafeRedis ? [] : unsafe.map((message) => ({ path: 'redis', message }))),
    ]
  }
  try {
    return await Promise.race([look(), tooLate()])
  } catch (error) {
    log.debug({ err: error }, 'not ready')
    return [{ path: 'redis', message: 'Redis is not reachable' }]
  }
}

async function tooLate(): Promise<never> {
  await sleep(REDIS_WITHIN_MS, undefined, { ref: false })
  throw redisIsAway()
}

const skewed = (ms: number): string =>
  `the clocks of Redis and this host differ by ${Math.round(Math.abs(ms) / 1000)} s: synchronise them (NTP)`

function remembered<T>(ask: () => Promise<T>): () => Promise<T> {
  let last: { readonly answer: Promise<T>; readonly at: number } | undefined
  return async () => {
    if (last === undefined || performance.now() - last.at > FRESH_MS) {
      last = { answer: ask(), at: performance.now() }
    }
    return last.answer
  }
}
