import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { StoreHost } from './host.ts'

export interface CallbackAnswer {
  readonly status: number
  readonly text: string
}

/** How long stores wait for whom they call back. */
const PATIENCE_MS = 5000

/** Reports a completed upload to the site; undefined when there was no answer. */
export async function callBack(
  host: StoreHost,
  url: string,
  { headers, body }: { headers: Record<string, string>; body: string },
): Promise<CallbackAnswer | undefined> {
  const signal = AbortSignal.any([host.closing, AbortSignal.timeout(PATIENCE_MS)])
  try {
    const answer = await request(url, { method: 'POST', headers, body, signal })
    return { status: answer.statusCode, text: await answer.body.text() }
  } catch {
    return undefined
  }
}

/** The same, some time later; nobody waits for it. */
export async function callBackLater(
  host: StoreHost,
  delayMs: number,
  report: () => Promise<unknown>,
): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal: host.closing, ref: false })
  } catch {
    return
  }
  await report()
}
