import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectRedis, waitForRedis } from '#shared/redis/connect.ts'
import { startTestRedis } from '../../support/redis.ts'
import { play } from './play.ts'
import { scripts } from './script.ts'
import { openReal } from './stage.ts'

/**
 * Random histories of a service, done to the real scripts in a real Redis and to a small model of what the
 * documentation promises, with all that is visible compared after every step.
 *
 * The runs are the same each time. To hunt: `MODEL_SEED=$RANDOM MODEL_RUNS=5000 vitest run test/integration/model`.
 */
const seed = Number(process.env['MODEL_SEED'] ?? 1)
const numRuns = Number(process.env['MODEL_RUNS'] ?? 50)

/** What must have come up, or the runs say too little. */
const outcomes = [
  'accept twice: repeated',
  'accept twice: conflict',
  'bind r1: taken',
  'cancel cancel: ok',
  'move startOver: done',
  'move finish: stale',
  'move open: unawares',
  'move complete: done',
  'move failUnconfirmed: done',
  'part bytes: stale',
  'part bytes: 3',
  'retry unconfirmed: ok',
  'retry anew: ok',
]

const resources = new AsyncDisposableStack()
let real: ReturnType<typeof openReal>

beforeAll(async () => {
  const server = resources.use(await startTestRedis())
  const redis = connectRedis(server.url, { role: 'worker', name: 'model-test' })
  resources.defer(() => redis.disconnect())
  await waitForRedis(redis, 10_000)
  real = openReal(redis)
})

afterAll(async () => resources.disposeAsync())

test(
  'whatever happens, in whatever order, the records are what was promised',
  { timeout: 120_000 + numRuns * 2000 },
  async () => {
    const seen = new Map<string, number>()
    const count = (kind: string): void => void seen.set(kind, (seen.get(kind) ?? 0) + 1)
    await fc.assert(
      fc.asyncProperty(scripts, async (script) => play(real, script, count)),
      { seed, numRuns },
    )
    // Histories in which little happens prove little.
    for (const outcome of outcomes) expect.soft(seen.get(outcome) ?? 0, outcome).toBeGreaterThan(0)
  },
)
