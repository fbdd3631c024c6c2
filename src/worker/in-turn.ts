import type { AccountAccess } from '#shared/providers/provider.ts'
import type { Running } from './run.ts'

/** Does `work` once it may, and not at all when `signal` aborts before. */
type Wait<T> = (signal: AbortSignal, work: () => Promise<T>) => Promise<T>

/** Waits for the turn of some work, unless the process stops first. What has begun then goes on. */
export async function inTurn<T>(
  { signal, stopping }: Pick<Running, 'signal' | 'stopping'>,
  wait: Wait<T>,
  work: () => Promise<T>,
): Promise<T> {
  let begun = false
  try {
    return await wait(AbortSignal.any([signal, stopping]), async () => {
      begun = true
      return work()
    })
  } catch (error) {
    // Whatever an aborted wait throws: this is what it means.
    throw !begun && stopping.aborted && !signal.aborted ? stopping.reason : error
  }
}

/**
 * An account as one run of a job may use it: no call is begun once the process stops, or once the job is
 * another run's. But a login that has begun goes on: its password may be sent only once in a long time.
 */
export function accountInTurn(account: AccountAccess, running: Running): AccountAccess {
  const { governor, login } = account
  let loggingIn = 0
  return {
    ...account,
    login: {
      ...login,
      exclusive: async (signal, work) =>
        login.exclusive(signal, async () => {
          loggingIn += 1
          try {
            return await work()
          } finally {
            loggingIn -= 1
          }
        }),
    },
    governor: {
      call: async (signal, run) => {
        if (loggingIn > 0) return governor.call(signal, run)
        const { stopping, assertHeld } = running
        return inTurn({ signal, stopping }, governor.call, async () => {
          await assertHeld()
          return run(signal)
        })
      },
    },
  }
}
