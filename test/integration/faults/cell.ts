import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { isEnded } from '#shared/records/upload.ts'
import { eventually } from '../../support/service.ts'
import { PATIENCE_MS, patiently } from './patience.ts'
import type { Call, FaultyService, Seen, Subject } from './subject.ts'
import type { Pause, Trouble } from './troubles.ts'

const POLL_MS = 50
/** How long nothing may be seen of an account that was asked for a pause longer than any test. */
const SILENCE_MS = 700

/** Sends one upload through the whole service, with this trouble at this call, and hands all of it to the judge. */
export async function runCell<Kind extends Call, Service extends FaultyService>(
  subject: Subject<Kind, Service>,
  { call, trouble }: { readonly call: Kind; readonly trouble: Trouble },
  judge: (subject: Subject<Kind, Service>, seen: Seen<Kind, Service>) => Promise<string[]>,
): Promise<string[]> {
  const said: string[] = []
  const content = randomBytes(subject.size)
  await using service = await subject.open(call, trouble, pino({ level: 'trace' }, linesInto(said)))
  const { operation, where = {} } = call
  const faults = trouble.actions().map((action, index) => {
    const which = trouble.always === true ? {} : { nth: index + 1 }
    return service.fake.faults.addUnchecked({ operation, where, ...which, action })
  })
  const id = await subject.begin(service, call, content)
  const wrong = await outlast(subject, service, { id, pause: trouble.pause })
  const record = await patiently(service, id, (record) => {
    if (record.waitingFor !== undefined) said.push(record.waitingFor)
    return isEnded(record.state) || (trouble.pause?.outlasts === true && record.waitingFor !== undefined)
  })
  const sha256 = createHash('sha256').update(content).digest('hex')
  return await judge(subject, { service, call, trouble, record, sha256, faults, said, wrong })
}

const linesInto = (lines: string[]): Writable =>
  new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString())
      done()
    },
  })

/** Watches a pause that no test can wait for, and has it be over then. Answers what was wrong with it. */
async function outlast(
  { account }: { readonly account: string },
  service: FaultyService,
  { id, pause }: { readonly id: string; readonly pause: Pause | undefined },
): Promise<string[]> {
  if (pause?.kept === undefined) return []
  const { stores, fake } = service
  const { ms } = await eventually(async () => stores.accounts.parked(account), PATIENCE_MS / 2)
  const before = fake.ledger.length
  await sleep(SILENCE_MS)
  const since = fake.ledger.slice(before).map(({ operation }) => operation)
  const [least, most] = pause.kept
  const wrong = [
    ...(ms < least || ms > most ? [`the account was parked for ${ms} ms`] : []),
    ...(since.length > 0 ? [`sent while it was parked: ${since.join(', ')}`] : []),
  ]
  if (pause.outlasts !== true) await passTime(service, account, id)
  return wrong
}

/** As if the pause were over: the account is free, and what waited for that is looked at again. */
async function passTime({ stores }: FaultyService, account: string, id: string): Promise<void> {
  await stores.redis.del(stores.keys.accountParked(account))
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
