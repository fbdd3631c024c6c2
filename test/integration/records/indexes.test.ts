import { afterEach, beforeEach, expect, test } from 'vitest'
import { isEnded, isRunning } from '#shared/records/upload.ts'
import type { UploadState } from '#shared/records/upload.ts'
import { compareIndexes, openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records

beforeEach(async () => {
  records = await openRecords()
})

afterEach(async () => records[Symbol.asyncDispose]())

/** The same numbers for the same seed. */
function randomFrom(seed: number): <T>(choices: readonly T[]) => T {
  let state = seed
  return (choices) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const chosen = choices[Math.floor((state / 2 ** 32) * choices.length)]
    if (chosen === undefined) throw new Error('Nothing to choose from')
    return chosen
  }
}

const later: readonly UploadState[] = [
  'transferring',
  'finishing',
  'confirming',
  'completed',
  'skipped',
  'failed',
  'cancelled',
]

test.each([1, 2, 3, 4])(
  'every list is what its records say, after random operations (seed %i)',
  async (seed) => {
    const { uploads, redis } = records.stores
    const choose = randomFrom(seed)
    const ids: string[] = []
    for (const account of ['a', 'b', 'c']) await records.addAccount(account, { maxActiveUploads: 6 })
    const operations = {
      accept: async () => {
        const to = choose(['p', 'q', 'r', '', ''])
        const name = to === '' ? choose(['n', 'm', '']) : ''
        const account = choose(['a', 'b', 'c'])
        const fresh = name !== '' && choose([true, false, false])
        ids.push(
          await records.accept({
            account,
            ...(to && { to }),
            ...(name && { name }),
            ...(fresh && { fresh: true }),
          }),
        )
      },
      dispatch: async () => void (await records.dispatch(choose([1, 2, 5]))),
      move: async () => {
        const record = await uploads.read(choose(ids))
        if (record !== undefined && isRunning(record.state)) {
          await uploads.transition(record, { state: choose(later) })
        }
      },
      bind: async () => {
        const record = await uploads.read(choose(ids))
        if (record === undefined || !isRunning(record.state)) return
        const remoteId = `remote-${choose([1, 2, 3, 4, 5, 6])}`
        await uploads.bind(record, {}, { key: `test/${remoteId}`, remoteId })
      },
      cancel: async () => void (await uploads.want(choose(ids), 'cancel')),
      retry: async () => void (await uploads.want(choose(ids), 'retry')),
      remove: async () => {
        const id = choose(ids)
        await uploads.remove(id)
      },
    }
    const names = Object.keys(operations)
    await operations.accept()
    for (let step = 0; step < 400; step += 1) {
      const name = choose([...names, 'accept', 'accept', 'move', 'move', 'dispatch'])
      await Object.entries(operations).find(([known]) => known === name)?.[1]()
      if (step % 20 === 0) await compareOwners(ids)
    }

    const { found, expected } = await compareIndexes(records, ids)
    expect(found).toEqual(expected)
    expect(Object.values(expected).flat().length).toBeGreaterThan(50)

    // Nothing is stuck: whoever waits gets its turn, until all have ended and every place is free.
    for (let round = 0; round < 1000; round += 1) {
      await records.dispatch()
      const running = await uploads.running()
      if (running.length === 0) break
      for (const id of running) await records.end(id)
    }
    const left = (await uploads.readMany(ids)).filter(({ state }) => !isEnded(state))
    expect(left).toEqual([])
    const keys = await records.allKeys()
    expect(keys.filter((key) => key.includes(':destination:') || key.includes(':waiting:'))).toEqual([])
    expect(await redis.exists(`${records.keys.prefix}:accounts:waiting`)).toBe(0)
  },
)

/** At most one upload runs at each place, it owns that place, and nobody owns one without running. */
async function compareOwners(ids: readonly string[]): Promise<void> {
  const { uploads } = records.stores
  const running = (await uploads.readMany([...new Set(ids)])).filter(({ state }) => isRunning(state))
  const places = running.map(({ destination }) => destination)
  expect(new Set(places).size).toBe(places.length)
  for (const { id, destination } of running) expect(await uploads.owner(destination)).toBe(id)
  const owned = (await records.allKeys()).filter((key) => /:destination:.*(?<!:queue)$/.test(key))
  expect(owned).toHaveLength(places.length)
}

test('lists are read in pages by a cursor, newest first, without gaps or repeats', async () => {
  await records.addAccount('main')
  const ids: string[] = []
  for (let index = 0; index < 25; index += 1) ids.push(await records.accept())
  const seen: string[] = []
  for (let cursor: string | undefined; ;) {
    const page = await records.stores.uploads.list({ account: 'main', state: 'queued' }, { cursor, limit: 7 })
    if (page.length === 0) break
    seen.push(...page)
    cursor = page.at(-1)
  }
  expect(seen).toEqual(ids.toReversed())
})
