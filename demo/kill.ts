import { setTimeout as sleep } from 'node:timers/promises'
import { lookAtHands } from './hands.ts'
import type { Hands, PartInHand } from './hands.ts'
import type { StartedProcess } from './processes.ts'
import { seconds } from './screen.ts'
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
  const others = stage.workers.filter((worker) => worker !== victim)
  const names = others.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ')
  say(`${victim.name} (pid ${victim.pid}) is killed with SIGKILL`)
  say(`  in its hands: ${listParts(parts, uploads())}`)
  say(`  ${names} goes on alone`)

  while (!over.aborted && !(await hands.areElsewhere(victim.pid, parts))) await sleep(LOOK_MS)
  if (!over.aborted)
    say(
      `${others[0]?.name ?? 'nobody'} has taken over these parts, ${seconds(Date.now() - at)} after the kill`,
    )
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
    if (busy === undefined || busy.sending < (fraction < HURRY ? 2 : 1)) continue
    const parts = await killIfSending(busy.worker, () => hands.of(busy.worker.pid, ids))
    if (parts !== undefined) return { victim: busy.worker, parts }
  }
  return undefined
}

async function busiest(
  workers: readonly StartedProcess[],
  partsOf: (pid: number) => Promise<readonly PartInHand[]>,
): Promise<{ readonly worker: StartedProcess; readonly sending: number } | undefined> {
  const all = await Promise.all(
    workers.map(async (worker) => ({
      worker,
      sending: (await partsOf(worker.pid)).filter(isSending).length,
    })),
  )
  return all.toSorted((a, b) => b.sending - a.sending)[0]
}

const isSending = (part: PartInHand): boolean => part.isSending

/** Answers what it had in its hands when it died; it lives on when that would be nothing to see. */
async function killIfSending(
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
    worker.signal(parts.some(isSending) ? 'SIGKILL' : 'SIGCONT')
  }
  return parts.some(isSending) ? parts : undefined
}

function listParts(parts: readonly PartInHand[], uploads: readonly Upload[]): string {
  const texts = parts.map(({ upload, blob, number, isSending }) => {
    const name = uploads.find(({ id }) => id === upload)?.fileName ?? upload
    return `${name}${blob === 'file' ? '' : ` ${blob}`} part ${number}${isSending ? '' : ' (not on its way)'}`
  })
  return texts.join(', ')
}
