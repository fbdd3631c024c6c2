import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { refusalOf } from '#shared/redis/refusal.ts'
import { clockProblem, findProblems } from '#shared/redis/requirements.ts'
import type { App, Context } from '../context.ts'
import { noWrites, redisIsAway } from '../failures.ts'
import { type FieldError, Problem, retryAfter } from '../problem.ts'
import { refusals } from './answers.ts'

const REDIS_WITHIN_MS = 3000
/** Whoever asks more often gets the last answer: these routes are open to everybody. */
const FRESH_MS = 500
const PROBE_MS = 60_000

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

async function findRed({ redis, keys, config, log }: Context): Promise<FieldError[]> {
  const look = async (): Promise<FieldError[]> => {
    if (redis.status !== 'ready') throw redisIsAway()
    const [clock, unsafe, refused] = await Promise.all([
      clockProblem(redis),
      findProblems(redis),
      whyNoWrites(redis, keys.probe),
    ])
    return [
      ...(clock === undefined ? [] : [{ path: 'clock', message: clock }]),
      ...[...refused, ...(config.allowUnsafeRedis ? [] : unsafe)].map((message) => ({
        path: 'redis',
        message,
      })),
    ]
  }
  try {
    return await Promise.race([look(), tooLate()])
  } catch (error) {
    log.debug({ err: error }, 'not ready')
    const refusal = refusalOf(error)
    return [{ path: 'redis', message: refusal === undefined ? 'Redis is not reachable' : noWrites(refusal) }]
  }
}

/** Seen by writing: no field of INFO says whether a full disk, or full memory, stops writes by now. */
async function whyNoWrites(redis: Context['redis'], key: string): Promise<string[]> {
  try {
    await redis.set(key, 1, 'PX', PROBE_MS)
    return []
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    return [noWrites(refusal)]
  }
}

async function tooLate(): Promise<never> {
  await sleep(REDIS_WITHIN_MS, undefined, { ref: false })
  throw redisIsAway()
}

function remembered<T>(ask: () => Promise<T>): () => Promise<T> {
  let last: { readonly answer: Promise<T>; readonly at: number } | undefined
  return async () => {
    if (last === undefined || performance.now() - last.at > FRESH_MS) {
      last = { answer: ask(), at: performance.now() }
    }
    return last.answer
  }
}
