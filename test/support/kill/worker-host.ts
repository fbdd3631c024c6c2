import { boot } from '#shared/boot.ts'
import { loadConfig } from '#shared/config.ts'
import type { Environment } from '#shared/config.ts'
import { createLog } from '#shared/log.ts'
import { startWorker } from '#worker/start.ts'

/** What `worker-processes.ts` says to a process of this file: be a worker of this service, or no more. */
export type HostOrder =
  | { readonly kind: 'start'; readonly id: number; readonly env: Environment }
  | { readonly kind: 'stop'; readonly id: number }

export type HostReport =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'started' | 'stopped'; readonly id: number }
  | { readonly kind: 'broken'; readonly why: string }

const running = new Map<number, AsyncDisposable>()

/** As `src/worker/main.ts` does it; all the modules are loaded by the time the order comes. */
async function start(env: Environment): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack()
  const config = loadConfig(env, 'worker')
  const log = createLog({ level: config.logLevel, role: 'worker' })
  const booted = resources.use(await boot(config, { name: 'worker', log }))
  resources.use(await startWorker({ config, boot: booted, log }))
  return resources.move()
}

async function obey(order: HostOrder): Promise<void> {
  if (order.kind === 'start') {
    running.set(order.id, await start(order.env))
    return report({ kind: 'started', id: order.id })
  }
  await running.get(order.id)?.[Symbol.asyncDispose]()
  running.delete(order.id)
  report({ kind: 'stopped', id: order.id })
}

function report(what: HostReport): void {
  process.send?.(what)
}

// Nobody to work for any more: the test run ended, however it did.
process.once('disconnect', () => process.exit())
process.on('message', (order: HostOrder) => {
  obey(order).catch((error: unknown) => report({ kind: 'broken', why: String(error) }))
})
report({ kind: 'loaded' })
