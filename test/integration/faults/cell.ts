import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { createVrchat } from '#shared/providers/vrchat/index.ts'
import { isEnded } from '#shared/records/upload.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { eventually, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { PART_SIZE, TOTP_SECRET } from './calls.ts'
import type { Call } from './calls.ts'
import { PATIENCE_MS, patiently, steady } from './patience.ts'
import type { Pause, Trouble } from './troubles.ts'

/** Three whole parts and a rest. */
const SIZE = 3 * PART_SIZE + 1234
const PASSWORD = 'lovelace-1815'
const POLL_MS = 50
/** How long nothing may be seen of an account that was asked for a pause longer than any test. */
const SILENCE_MS = 700

const quick = { timing: { lagMs: 30, retryMs: 20, codeMs: 20 } }
/** Only the watchdog notices what stands still: every other bound is longer than the test. */
const watched = {
  timing: { ...quick.timing, apiMs: 600_000, statusMs: 600_000 },
  http: { stallMs: 3000, answerMs: 3000 },
}

const env = {
  // The first pause after a login without an answer is a thirtieth of it.
  STEVEDORE_LOGIN_BUDGET_MS: '6000',
  ...steady,
}

/** All that was seen of one call that met one trouble. */
export interface Seen {
  readonly service: Service
  readonly call: Call
  readonly trouble: Trouble
  readonly record: UploadRecord
  readonly sha256: string
  readonly faults: readonly { readonly fired: number }[]
  /** Log lines, and whatever the record said meanwhile that it waits for. */
  readonly said: readonly string[]
  /** What was wrong on the way. */
  readonly wrong: readonly string[]
}

/** Sends one upload through the whole service, with this trouble at this call, and hands all of it to the judge. */
export async function runCell(
  call: Call,
  trouble: Trouble,
  judge: (seen: Seen) => Promise<string[]>,
): Promise<string[]> {
  const said: string[] = []
  const content = randomBytes(SIZE)
  await using provider = createVrchat(trouble.stalls === true ? watched : quick)
  await using service = await openService({
    ...accountOf(call, trouble),
    providers: [provider],
    log: pino({ level: 'trace' }, linesInto(said)),
    env,
  })
  const { operation, where = {} } = call
  const faults = trouble.actions().map((action, index) => {
    const which = trouble.always === true ? {} : { nth: index + 1 }
    return service.fake.faults.add({ operation, where, ...which, action })
  })
  const id = await call.begin(service, content)
  const wrong = await outlast(service, id, trouble.pause)
  const record = await patiently(service, id, (record) => {
    if (record.waitingFor !== undefined) said.push(record.waitingFor)
    return isEnded(record.state) || (trouble.pause?.outlasts === true && record.waitingFor !== undefined)
  })
  const sha256 = createHash('sha256').update(content).digest('hex')
  return await judge({ service, call, trouble, record, sha256, faults, said, wrong })
}

function accountOf({ account = {} }: Call, { pause }: Trouble) {
  const secondFactor = { kind: 'totp' as const, secret: TOTP_SECRET }
  const user = { username: 'ada', password: PASSWORD }
  return {
    fake: {
      users: [{ ...user, ...(account.secondFactor && { secondFactor }) }],
      multipartThreshold: PART_SIZE,
      minPartSize: 1,
    },
    credentials: { ...user, ...(account.secondFactor && { totpSecret: TOTP_SECRET }) },
    ...(account.settings && { settings: account.settings }),
    // One thing at a time, where not one more may follow.
    ...(pause && { limits: { callsAtOnce: 1, partsAtOnce: 1 } }),
  }
}

const linesInto = (lines: string[]): Writable =>
  new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString())
      done()
    },
  })

/** Watches a pause that no test can wait for, and has it be over then. Answers what was wrong with it. */
async function outlast(service: Service, id: string, pause: Pause | undefined): Promise<string[]> {
  if (pause?.kept === undefined) return []
  const { stores, fake } = service
  const { ms } = await eventually(async () => stores.accounts.parked('main'), PATIENCE_MS / 2)
  const before = fake.ledger.length
  await sleep(SILENCE_MS)
  const since = fake.ledger.slice(before).map(({ operation }) => operation)
  const [least, most] = pause.kept
  const wrong = [
    ...(ms < least || ms > most ? [`the account was parked for ${ms} ms`] : []),
    ...(since.length > 0 ? [`sent while it was parked: ${since.join(', ')}`] : []),
  ]
  if (pause.outlasts !== true) await passTime(service, id)
  return wrong
}

/** As if the pause were over: the account is free, and what waited for that is looked at again. */
async function passTime({ stores }: Service, id: string): Promise<void> {
  await stores.redis.del(stores.keys.accountParked('main'))
  for (;;) {
    const record = await stores.uploads.read(id)
    if (record === undefined || isEnded(record.state)) return
    const { uploads, parts } = stores.queues
    const waiting = [...(await uploads.getDelayed()), ...(await parts.getDelayed())]
    // It may have begun by itself meanwhile.
    for (const job of waiting) await job.promote().catch(() => undefined)
    await sleep(POLL_MS)
  }
}
