import { describe, expect, test } from 'vitest'
import { upload, type Upload } from '#producer/cli/api/answers.ts'
import { Refused } from '#producer/cli/api/problem.ts'
import { NotReachable } from '#producer/cli/errors.ts'
import { watchUploads } from '#producer/cli/upload/watch.ts'

const pace = { eagerMs: 1, lazyMs: 5, spacingMs: 1, patienceMs: 10_000, againMs: 5 }
const gone = new NotReachable('nobody there', { lost: true })
const aged = (id: string, state: string): Upload => upload.parse({ id, state })

function watch(
  read: (id: string) => Promise<Upload>,
  ids: readonly string[],
  given: Partial<typeof pace> = {},
) {
  const [seen, away]: [string[], (string | undefined)[]] = [[], []]
  const ended = watchUploads({
    uploads: ids.map((id) => aged(id, 'queued')),
    read,
    seen: ({ id, state }) => seen.push(`${id} ${state}`),
    away: (why) => away.push(why),
    signal: AbortSignal.timeout(20_000),
    pace: { ...pace, ...given },
  })
  return { seen, away, ended }
}

describe('watching', () => {
  test('ends when all uploads have, and asks no more about those that have', async () => {
    const looks = new Map<string, number>()
    const { seen, ended } = watch(
      async (id) => {
        const look = (looks.get(id) ?? 0) + 1
        looks.set(id, look)
        return aged(id, look < Number(id) ? 'transferring' : 'completed')
      },
      ['1', '2', '3'],
    )

    await ended

    expect(Object.fromEntries(looks)).toEqual({ 1: 1, 2: 2, 3: 3 })
    expect(seen.filter((line) => line.endsWith('completed'))).toHaveLength(3)
  })

  test('never asks more than eight at once', async () => {
    let [now, most] = [0, 0]
    const { ended } = watch(
      async (id) => {
        most = Math.max(most, ++now)
        await new Promise((resolve) => setTimeout(resolve, 2))
        now -= 1
        return aged(id, 'completed')
      },
      Array.from({ length: 50 }, (_, index) => String(index)),
    )

    await ended

    expect(most).toBe(8)
  })

  test('survives a service that is restarted, and says so once', async () => {
    const answers = [gone, new Refused(503, { errors: [] }), 'transferring', gone, 'completed']
    const { away, ended } = watch(
      async (id) => {
        const answer = answers.shift() ?? 'completed'
        if (answer instanceof Error) throw answer
        return aged(id, answer)
      },
      ['1'],
    )

    await ended

    expect(away).toEqual(['nobody there', undefined, 'nobody there', undefined])
  })

  test('gives up on a service that stays away', async () => {
    const { ended } = watch(async () => Promise.reject(gone), ['1'], { patienceMs: 0 })

    await expect(ended).rejects.toBe(gone)
  })

  test('ends with the refusal of an upload that is gone', async () => {
    const refusal = new Refused(404, { detail: 'There is no upload 1', errors: [] })

    await expect(watch(async () => Promise.reject(refusal), ['1']).ended).rejects.toBe(refusal)
  })
})
