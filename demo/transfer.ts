import { setTimeout as sleep } from 'node:timers/promises'
import { ProgramFailed } from '../test/support/programs/failure.ts'
import type { DemoFile } from './files.ts'
import { killOneWorker } from './kill.ts'
import type { Kill } from './kill.ts'
import { showProgress } from './progress.ts'
import type { Screen } from '../test/support/programs/screen.ts'
import { isEnded } from './service.ts'
import type { Service, Upload } from './service.ts'
import type { Stage } from './stage.ts'

const LOOK_MS = 120
// Far longer than it takes to notice a dead worker.
const STUCK_MS = 60_000

interface Options {
  readonly stage: Stage
  readonly service: Service
  readonly files: readonly DemoFile[]
  readonly partSize: number
  readonly screen: Screen
}

export interface Transferred {
  /** In the order of the files, all of them ended. */
  readonly uploads: readonly Upload[]
  readonly kill: Kill | undefined
}

/** Uploads all files, showing how far they are, while one worker is killed. */
export async function transfer({ stage, service, files, partSize, screen }: Options): Promise<Transferred> {
  let uploads: readonly Upload[] = []
  // Those to Cloudreve later: nothing is hashed for it, and it would be through when others begin to be sent.
  const [first, later] = [filesTo('vrchat', files), filesTo('cloudreve', files)]
  let accepted = first
  const over = new AbortController()
  using progress = showProgress(screen)
  const kill = killOneWorker({
    stage,
    uploads: () => (uploads.length === files.length ? uploads : []),
    say: progress.say,
    over: AbortSignal.any([over.signal, stage.signal]),
  })
  // Looked at below, or not at all when the watching fails first.
  kill.catch(() => undefined)
  try {
    await handIn(service, first, partSize)
    const isStuck = createStuck()
    for (;;) {
      stage.signal.throwIfAborted()
      uploads = inOrder(accepted, await service.uploads())
      progress.see(uploads)
      if (accepted === first && isSending(uploads[0])) {
        progress.say(`${first[0]?.name ?? ''} is hashed and begins to be sent; now the files to Cloudreve`)
        await handIn(service, later, partSize)
        accepted = [...first, ...later]
      } else if (uploads.every(isEnded)) break
      if (isStuck(uploads)) throw stuck(uploads)
      await sleep(LOOK_MS)
    }
  } finally {
    over.abort()
  }
  return { uploads, kill: await kill }
}

const filesTo = (provider: string, files: readonly DemoFile[]): readonly DemoFile[] =>
  files.filter(({ to }) => to.provider === provider)

/** Lower goes first: the big files, as the kill comes in the middle of them. */
async function handIn(service: Service, files: readonly DemoFile[], partSize: number): Promise<void> {
  for (const [priority, file] of files.entries()) await service.upload(file, { partSize, priority })
}

const isSending = (upload: Upload | undefined): boolean =>
  upload !== undefined && !['queued', 'preparing'].includes(upload.state)

function inOrder(files: readonly DemoFile[], uploads: readonly Upload[]): readonly Upload[] {
  return files.map(({ name }) => {
    const upload = uploads.find(({ fileName }) => fileName === name)
    if (upload === undefined) throw new ProgramFailed(`The service has lost the upload of ${name}`)
    return upload
  })
}

/** Whether nothing at all has changed for too long. */
function createStuck(): (uploads: readonly Upload[]) => boolean {
  let last = ''
  let since = 0
  return (uploads) => {
    const now = uploads.map(({ state, bytesSent }) => `${state} ${bytesSent}`).join()
    if (now !== last) since = Date.now()
    last = now
    return Date.now() - since > STUCK_MS
  }
}

const stuck = (uploads: readonly Upload[]): ProgramFailed =>
  new ProgramFailed(
    `Nothing has moved for ${STUCK_MS / 1000} s:`,
    uploads.filter((upload) => !isEnded(upload)).map(({ fileName, state }) => `${fileName}: ${state}`),
  )
