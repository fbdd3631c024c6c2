import { expect } from 'vitest'
import type { NewUpload } from '#shared/records/commands.ts'
import { isEnded } from '#shared/records/upload.ts'
import { accept, cancel, retry } from './rules.ts'
import type { NewModelUpload } from './rules.ts'
import { accountIds } from './stage.ts'
import type { Chance, Stage, Step } from './stage.ts'
import { NAMES, placeOfName, PLACES } from './world.ts'
import type { Upload } from './world.ts'

const HOUR_MS = 3_600_000

export const acceptOne: Step = async (stage, chance) => {
  const { world, real } = stage
  // Few places, names and accounts: what has nothing to do with each other can not go wrong.
  const account = chance.of(['a', 'a', 'a', ...accountIds] as const) ?? 'a'
  const name = chance.of(['', ...NAMES, ...NAMES])
  stage.made += 1
  const wanted = {
    id: `upl_${String(stage.made).padStart(4, '0')}`,
    account,
    priority: chance.of([50, 50, 50, 10]) ?? 50,
    name: name ? `${account}/${name}` : '',
    place: chance.of(PLACES) ?? '',
    key: chance.of(['', '', '', 'k1', 'k2']) ?? '',
    body: chance.of(['one', 'one', 'other']) ?? '',
  }
  const idempotency = { key: wanted.key, bodyHash: wanted.body, ttlMs: HOUR_MS }
  const ask = async () => real.uploads.accept(requestOf(wanted), wanted.key === '' ? undefined : idempotency)
  const answer = await ask()
  expect(answer).toEqual(accept(world, wanted))
  // Whoever did not get the answer asks again, and makes nothing twice.
  if (chance.isLost) expect(await ask()).toEqual(accept(world, wanted))
  return `accept ${JSON.stringify(wanted)}${chance.isLost ? ' twice' : ''}: ${answer.kind}`
}

const requestOf = ({ id, account, priority, name, place }: NewModelUpload): NewUpload => ({
  id,
  provider: 'vrchat',
  account,
  request: {},
  plan: { partSize: 10 },
  source: 'file:///nowhere',
  fileName: id,
  destination: name === '' ? { key: place } : { key: placeOfName(name), binding: name },
  size: 50,
  priority,
  verify: 'none',
  deadline: Date.now() + HOUR_MS,
})

/** Running, waiting or ended; more often one that keeps a session while nobody works on it, as few do. */
export function anyUpload({ world }: Stage, chance: Chance): Upload | undefined {
  const all = [...world.uploads.values()]
  const kept = all.filter(({ hasSession, state }) => hasSession && (state === 'queued' || state === 'failed'))
  return chance.of([...all, ...kept, ...kept])
}

export const cancelOne: Step = async (stage, chance) => {
  const upload = anyUpload(stage, chance)
  if (upload === undefined) return undefined
  const { kind, state } = await stage.real.uploads.want(upload.id, 'cancel')
  expect([kind, state]).toEqual([cancel(upload), upload.state])
  return `${upload.id} cancel: ${kind}`
}

export const retryOne: Step = async (stage, chance) => {
  const upload = anyUpload(stage, chance)
  if (upload === undefined) return undefined
  const { kind, state } = await stage.real.uploads.want(upload.id, 'retry')
  expect(kind).toBe(retry(stage.world, upload))
  if (kind !== 'no-account') expect(state).toBe(upload.state)
  return `retry ${upload.id} ${upload.hasSession ? 'unconfirmed' : 'anew'}: ${kind}`
}

/** Retention forgets what ended; asked for anything else, it does nothing. */
export const forgetOne: Step = async (stage, chance) => {
  const upload = anyUpload(stage, chance)
  if (upload === undefined) return undefined
  await stage.real.uploads.remove(upload.id)
  if (isEnded(upload.state)) stage.world.uploads.delete(upload.id)
  return `forget ${upload.id}`
}
