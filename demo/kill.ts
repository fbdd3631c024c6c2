import { setTimeout as sleep } from 'node:timers/promises'
import { lookAtHands } from './hands.ts'
import type { Hands, PartInHand } from './hands.ts'
import type { StartedProcess } from '../test/support/programs/processes.ts'
import { seconds } from '../test/support/programs/screen.ts'
import { accounts } from './service.ts'
import type { Upload } from './service.ts'
import type { Stage } from './stage.ts'
import { wantedNow } from './when-to-kill.ts'

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
  /** As they were seen last. */
  readonly uploads: () => readonly Upload[]
  readonly say: (text: string) => void
  /** Aborts when there is nothing left to be killed for. */
  readonly over: AbortSignal
}

/** Kills a worker in the middle of it all, with parts of both providers in its hands, and waits until the other one has taken over. */
export async function killOneWorker({ stage, uploads, say, over }: Options): Promise<Kill | undefined> {
  const hands = lookAtHands(stage.redis)
  const killed = await catchOne({ stage, hands, uploads, over })
  if (killed === undefined) return undefined
  const { victim, parts } = killed
  const at = Date.now()
  await victim.ended
  const other = stage.workers.find((worker) => worker !== victim)?.name ?? 'nobody'
  say(`${victim.name} (pid ${victim.pid}) is killed with SIGKILL`)
  for (const text of whatWasInHand(parts, uploads())) say(`  ${text}`)
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
    const seen = uploads()
    const wanted = wantedNow(seen)
    if (wanted.length === 0) continue
    const isWorthIt = (parts: readonly PartInHand[]): boolean => {
      const providers = providersIn(parts, seen)
      return wanted.every((provider) => providers.has(provider))
    }
    for (const victim of stage.workers) {
      const partsOf = async () =>
        hands.of(
          victim.pid,
          seen.map(({ id }) => id),
        )
      if (!isWorthIt(await partsOf())) continue
      const parts = await killIf(victim, partsOf, isWorthIt)
      if (parts !== undefined) return { victim, parts }
    }
  }
  return undefined
}

const isInFlight = (part: PartInHand): boolean => part.isInFlight

/** To whom it is sending right now. */
const providersIn = (parts: readonly PartInHand[], uploads: readonly Upload[]): ReadonlySet<string> =>
  new Set(
    parts.filter(isInFlight).flatMap(({ upload }) => uploads.find(({ id }) => id === upload)?.provider ?? []),
  )

/** Answers what it had in its hands when it died; it lives on when that would be nothing to see. */
async function killIf(
  worker: StartedProcess,
  partsOf: () => Promise<readonly PartInHand[]>,
  isWorthIt: (parts: readonly PartInHand[]) => boolean,
): Promise<readonly PartInHand[] | undefined> {
  // Held still first: so it dies with exactly what is seen in its hands.
  worker.signal('SIGSTOP')
  await sleep(50)
  let parts: readonly PartInHand[] = []
  try {
    parts = await partsOf()
  } finally {
    worker.signal(isWorthIt(parts) ? 'SIGKILL' : 'SIGCONT')
  }
  return isWorthIt(parts) ? parts : undefined
}

function whatWasInHand(parts: readonly PartInHand[], uploads: readonly Upload[]): readonly string[] {
  const waiting = parts.filter((part) => !isInFlight(part)).length
  const sending = accounts.flatMap(({ title, provider }) => {
    const ids = uploads.filter((upload) => upload.provider === provider).map(({ id }) => id)
    const own = parts.filter((part) => isInFlight(part) && ids.includes(part.upload))
    return own.length === 0 ? [] : `it was sending to ${title}: ${listParts(own, uploads)}`
  })
  return waiting === 0
    ? sending
    : [...sending, `and had ${waiting} more ${waiting === 1 ? 'part' : 'parts'} in its hands`]
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
