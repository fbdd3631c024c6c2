import { fileURLToPath } from 'node:url'
import { startCommand } from '../../support/processes.ts'
import type { Started } from '../../support/processes.ts'

const inCheckout = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/**
 * For machines as busy as those that tests run on: threads for one pass, and a login that was lost with its worker's
 * lock is not waited for half an hour.
 */
export const sturdy = { STEVEDORE_HASH_THREADS: '1', STEVEDORE_LOGIN_BUDGET_MS: '1000' }

const preloads = {
  'shifted-clock': new URL('./shifted-clock.ts', import.meta.url),
  'deaf-for-a-while': new URL('./deaf-for-a-while.ts', import.meta.url),
  'hoards-descriptors': new URL('./hoards-descriptors.ts', import.meta.url),
}

export interface Host {
  /** What the shell shall limit, such as `-f 1`: blocks of a file, or `-n 200`: open files. */
  readonly ulimit?: string
  /** What is loaded before the program. */
  readonly preload?: keyof typeof preloads
  readonly env: Readonly<Record<string, string>>
}

interface Running extends Started, AsyncDisposable {}

/** A worker process on a host that has something wrong with it; it runs when this resolves. */
export async function startWorker(host: Host): Promise<Running> {
  const worker = launch('src/worker/main.ts', host)
  await worker.untilSaid('worker runs')
  return worker
}

/** The API of the same service; it listens when this resolves. */
export async function startServe(host: Host): Promise<Running> {
  const serve = launch('src/producer/main.ts', host)
  await serve.untilSaid('listening at')
  return serve
}

/** Limits are the shell's own, so that neither root nor a tool is needed for them. */
function launch(program: string, { ulimit, preload, env }: Host): Running {
  const limited = ulimit === undefined ? '' : `ulimit ${ulimit} && `
  const options = preload === undefined ? [] : ['--import', preloads[preload].href]
  const node = [process.execPath, ...options, inCheckout(program)]
  const started = startCommand(['/bin/sh', '-c', `${limited}exec "$@"`, 'sh', ...node], {
    env: { ...env, STEVEDORE_LOG_LEVEL: 'info' },
  })
  return {
    ...started,
    [Symbol.asyncDispose]: async () => {
      started.signal('SIGKILL')
      await started.ended
    },
  }
}
