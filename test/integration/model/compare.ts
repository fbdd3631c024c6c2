import { isEnded, isRunning, uploadStates } from '#shared/records/upload.ts'
import { pairs, read } from './answers.ts'
import type { Stage } from './stage.ts'
import { accountIds } from './stage.ts'
import {
  activeOf,
  NAMES,
  PLACES,
  bytesOf,
  lineOf,
  meaning,
  ownerOf,
  placeOf,
  uploadsOf,
  waitingOf,
} from './world.ts'
import type { Upload, World } from './world.ts'

/** A key of the real thing, how it is read, and what the world says that it holds. */
type Look = readonly [what: string, command: readonly [string, ...string[]], expected: unknown]

/** Compares all that is visible with the world, in one round trip. */
export async function compare(stage: Stage): Promise<void> {
  const looks = [...everything(stage)]
  const answers = await stage.redis.pipeline(looks.map(([, command]) => [...command])).exec()
  const wrong = looks.flatMap(([what, [command], expected], index) => {
    const [found, wanted] = [read(command, answers?.[index]), expected].map((value) => JSON.stringify(value))
    return found === wanted ? [] : [`${what} is ${found} and should be ${wanted}`]
  })
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
}

function* everything(stage: Stage): Generator<Look> {
  const { world, keys } = stage
  yield* indexes(stage)
  for (const upload of world.uploads.values()) yield* record(stage, upload)
  for (const account of accountIds) {
    yield [`active of ${account}`, ['smembers', keys.accountActive(account)], idsOf(activeOf(world, account))]
    const waiting = waitingOf(world, account).map(({ id }) => id)
    yield [`waiting of ${account}`, ['zrange', `${keys.prefix}:waiting:${account}`, '0', '-1'], waiting]
    if (waiting.length === 0) continue
    const turns = `${keys.prefix}:accounts:waiting`
    yield [`${account} has a turn`, ['zscore', turns, account], true]
  }
  for (const place of placesOf(world)) {
    const line = lineOf(world, place).map(({ id }) => id)
    yield [`line of ${place}`, ['lrange', keys.destinationQueue(place), '0', '-1'], line]
    yield [`owner of ${place}`, ['get', keys.destination(place)], ownerOf(world, place)]
  }
  for (const name of namesOf(world)) {
    const bound = world.names.has(name) ? meaning(world, name) : null
    yield [`meaning of ${name}`, ['get', keys.binding(name)], bound]
  }
  for (const [key, ids] of world.ledger) {
    yield [`ledger of ${key}`, ['lrange', `${keys.prefix}:versions:${key}`, '0', '-1'], ids]
  }
}

function* indexes({ world, keys }: Stage): Generator<Look> {
  for (const account of [undefined, ...accountIds]) {
    for (const state of [undefined, ...uploadStates]) {
      const ids = uploadsOf(
        world,
        (one) => (account ?? one.account) === one.account && (state ?? one.state) === one.state,
      )
      yield [
        `list of ${account ?? 'all'} ${state ?? 'any'}`,
        ['zrangebylex', keys.uploadsBy({ account, state }), '-', '+'],
        idsOf(ids),
      ]
    }
  }
  const running = idsOf(uploadsOf(world, ({ state }) => isRunning(state)))
  const open = idsOf(uploadsOf(world, ({ state }) => !isEnded(state)))
  const ended = idsOf(uploadsOf(world, ({ state }) => isEnded(state)))
  yield ['running', ['sort', keys.running, 'ALPHA'], running]
  yield ['with a deadline', ['sort', keys.deadlines, 'ALPHA'], open]
  yield ['ended', ['sort', keys.ended, 'ALPHA'], ended]
}

function* record({ world, keys }: Stage, upload: Upload): Generator<Look> {
  const { id, state, desired, epoch, rev, run, receipts, bytesResent, blamed } = upload
  const expected = {
    state,
    desired,
    epoch,
    rev,
    run,
    bytesResent,
    partsDone: receipts.size,
    bytesSent: bytesOf(upload),
    session: upload.hasSession,
    failure: blamed.has('failure'),
    restart: blamed.has('restart'),
    // Where an ended upload went is for people to read; where a retry goes is looked up anew.
    ...(!isEnded(state) && { destination: placeOf(world, upload) }),
  }
  const fields = Object.keys(expected)
  yield [
    `${fields.join(', ')} of ${id}`,
    ['hmget', keys.upload(id), ...fields],
    Object.values(expected).map(asField),
  ]
  yield [`receipts of ${id}`, ['hgetall', keys.parts(id, epoch)], pairs(receipts)]
  yield [`old receipts of ${id}`, ['exists', keys.parts(id, epoch - 1)], 0]
  yield [`hands of ${id}`, ['hgetall', keys.runs(id)], pairs(upload.hands)]
}

const asField = (value: string | number | boolean): string =>
  typeof value === 'boolean' ? String(Number(value)) : String(value)

const idsOf = (uploads: readonly Upload[]): string[] => uploads.map(({ id }) => id).toSorted()

const namesOf = (world: World): string[] => [
  ...new Set([
    ...accountIds.flatMap((account) => NAMES.map((name) => `${account}/${name}`)),
    ...world.names.keys(),
  ]),
]
const placesOf = (world: World): string[] => [...PLACES, ...namesOf(world).map((name) => `test/name/${name}`)]
