import { openMachine } from '../../support/machine.ts'
import type { Service } from '../../support/service.ts'

/** Waits are for state; this is for a machine that does much else. */
export const LONG_MS = 50_000
export const HEAVY_MS = 3 * LONG_MS

/** One more worker of the same service, with other settings. Whoever removes what is old has to lead: let it be alone. */
export async function startOther(
  { machine }: Service,
  env: Readonly<Record<string, string>>,
): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack()
  const { redisUrl } = machine.boot
  const other = resources.use(await openMachine({ redisUrl, env: { ...machine.env, ...env } }))
  resources.use(await other.startWorker())
  return resources.move()
}
