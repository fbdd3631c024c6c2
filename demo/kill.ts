import { setTimeout as sleep } from 'node:timers/promises'
import { lookAtHands } from './hands.ts'
import type { Hands, PartInHand } from './hands.ts'
import type { StartedProcess } from '../test/support/programs/processes.ts'
import { seconds } from '../test/support/programs/screen.ts'
import type { Upload } from './service.ts'
import type { Stage } from './stage.ts'

// Of the big file: late enough that much would be lost, early enough that much is left to do.
const FROM = 0.3
// From here on, one part in its hands is enough.
const HURRY = 0.6
const LOOK_MS = 20

export interface Kill {
  readonly worker: string
  readonly pid: number
  readonly at: number
  /** What it had in its hands when it died. */
  readonly parts: readonly PartInHand[]
}

interface Options {
  readonly stage: Stage
  /** As they were seen last, the big one first. */
  readonly uploads: () => readonly Upload[]
  readonly say: (text: string) => void
  /** Aborts when there is nothing left to be killed for. */
  readonly over: AbortSignal
}

/** Kills a worker in the middle of the big file, and waits until the other one has taken over. */
export async function killOneWorker({ stage, uploads, say, over }: Options): Promise<Kill | undefined> {
  const hands = lookAtHands(stage.redis)
  const killed = await catchOne({ stage, hands, uploads, over })
  if (killed === undefined) return undefined
  const { victim, parts } = killed
  const at = Date.now()
  await victim.ended
  const other = stage.workers.find((worker) => worker !== victim)?.name ?? 'nobody'
  const waiting = parts.filter((part) => !isInFlight(part)).length
  say(`${victim.name} (pid ${victim.pid}) is killed with SIGKILL`)
  say(`  it was sending ${listParts(parts.filter(isInFlight), uploads())}`)
  if (waiting > 0) say(`  and had ${waiting} more ${waiting === 1 ? 'part' : 'parts'} in its hands`)
  say(`  ${other} goes on alone, and is given these when the locks of the dead one end`)

  while (!over.aborted && !(await hands.areElsewhere(victim.pid, parts))) await sleep(LOOK_MS)
  if (!over.aborted) say(`${other} has taken all of these over, ${seconds(Date.now() - at)} after the kill`)
  return { worker: victim.name, pid: victim.pid, at, parts }
}

interface Catching {
  readonly stage: Stage
  readonly hands: Hands
  readonly uploads: () => readonly Upload[]
  readonly over: AbortSignal
}

interface Caught {
  readonly victim: StartedProcess
  readonly parts: readonly PartInHand[]
}

async function catchOne({ stage, hands, uploads, over }: Catching): Promise<Caught | undefined> {
  for (; !over.aborted; await sleep(LOOK_MS)) {
    const [big] = uploads()
    const fraction = big === undefined ? 0 : big.bytesSent / big.size
    if (fraction < FROM) continue
    const ids = uploads().map(({ id }) => id)
    const busy = await busiest(stage.workers, (pid) => hands.of(pid, ids))
    if (busy === undefined || busy.inFlight < (fraction < HURRY ? 2 : 1)) continue
    const parts = await killIfBusy(busy.worker, () => hands.of(busy.worker.pid, ids))
    if (parts !== undefined) return { victim: busy.worker, parts }
  }
  return undefined
}

async function busiest(
  workers: readonly StartedProcess[],
  partsOf: (pid: number) => Promise<readonly PartInHand[]>,
): Promise<{ readonly worker: StartedProcess; readonly inFlight: number } | undefined> {
  const all = await Promise.all(
    workers.map(async (worker) => ({
      worker,
      inFlight: (await partsOf(worker.pid)).filter(isInFlight).length,
    })),
  )
  return all.toSorted((a, b) => b.inFlight - a.inFlight)[0]
}

const isInFlight = (part: PartInHand): boolean => part.isInFlight

/** Answers what it had in its hands when it died; it lives on when that would be nothing to see. */
async function killIfBusy(
  worker: StartedProcess,
  partsOf: () => Promise<readonly PartInHand[]>,
): Promise<readonly PartInHand[] | undefined> {
  // Held still first: so it dies with exactly what is seen in its hands.
  worker.signal('SIGSTOP')
  await sleep(50)
  let parts: readonly PartInHand[] = []
  try {
    parts = await partsOf()
  } finally {
    worker.signal(parts.some(isInFlight) ? 'SIGKILL' : 'SIGCONT')
  }
  return parts.some(isInFlight) ? parts : undefined
}

/** `world.vrcw parts 7 and 9, avatar.vrca signature part 1`. */
function listParts(parts: readonly PartInHand[], uploads: readonly Upload[]): string {
  const nameOf = ({ upload, blob }: PartInHand): string => {
    const name = uploads.find(({ id }) => id === upload)?.fileName ?? upload
    return blob === 'file' ? name : `${name} ${blob}`
  }
  const texts = Map.groupBy(parts, nameOf)
    .entries()
    .map(([name, group]) => {
      const numbers = group.map(({ number }) => number).toSorted((a, b) => a - b)
      return `${name} ${numbers.length === 1 ? 'part' : 'parts'} ${and.format(numbers.map(String))}`
    })
  return [...texts].join(', ')
}

const and = new Intl.ListFormat('en')
