import { describe, expect, test } from 'vitest'
import { ProcessStops } from '#shared/errors.ts'
import type { AccountAccess } from '#shared/providers/provider.ts'
import { accountInTurn, inTurn } from '#worker/in-turn.ts'

/** One run of a job, and how to end it. */
function openRun() {
  const [abort, stopping] = [new AbortController(), new AbortController()]
  const held = { is: true }
  const assertHeld = async (): Promise<void> => {
    if (!held.is) throw new Error('lock lost')
  }
  const running = {
    jobId: 'job',
    lastAttempt: false,
    signal: abort.signal,
    stopping: stopping.signal,
    assertHeld,
    dropWaitingParts: async () => undefined,
  }
  return { running, held, stop: () => stopping.abort(new ProcessStops()) }
}

/** Lets work begin as soon as nobody wants it to end. */
const governor: AccountAccess['governor'] = {
  call: async (signal, run) => {
    signal.throwIfAborted()
    return run(signal)
  },
}

const account: AccountAccess = {
  id: 'me',
  settings: {},
  credentials: async () => ({}),
  seen: { credentials: () => ({}), login: () => undefined },
  login: {
    load: async () => undefined,
    save: async () => undefined,
    exclusive: async (_, work) => work(),
    spend: async () => undefined,
  },
  governor,
}

describe('work that waits for its turn', () => {
  test('is not begun once the process stops', async () => {
    const { running, stop } = openRun()
    const waiting = inTurn(
      running,
      async (signal) =>
        new Promise<never>((_, reject) =>
          signal.addEventListener('abort', () => reject(new Error('aborted'))),
        ),
      async () => 'done',
    )

    stop()

    await expect(waiting).rejects.toBeInstanceOf(ProcessStops)
  })

  test('goes on once it has begun, and fails as it fails', async () => {
    const { running, stop } = openRun()
    const begun = inTurn(
      running,
      async (_, work) => work(),
      async () => {
        stop()
        throw new Error('refused')
      },
    )

    await expect(begun).rejects.toThrow('refused')
  })
})

describe('an account in the hands of a run', () => {
  test('is not called any more once the process stops, or the job is another run’s', async () => {
    const { running, held, stop } = openRun()
    const { governor: calls } = accountInTurn(account, running)
    const call = async (): Promise<string> => calls.call(running.signal, async () => 'answer')

    expect(await call()).toBe('answer')
    held.is = false
    await expect(call()).rejects.toThrow('lock lost')
    held.is = true
    stop()
    await expect(call()).rejects.toBeInstanceOf(ProcessStops)
  })

  test('is logged in to the end all the same: its password may be sent but once in a long time', async () => {
    const { running, held, stop } = openRun()
    const { governor: calls, login } = accountInTurn(account, running)

    const code = await login.exclusive(running.signal, async () => {
      await calls.call(running.signal, async () => 'password')
      stop()
      held.is = false
      return calls.call(running.signal, async () => 'code')
    })

    expect(code).toBe('code')
    await expect(calls.call(running.signal, async () => 'more')).rejects.toBeInstanceOf(ProcessStops)
  })
})
