import { setTimeout as sleep } from 'node:timers/promises'
import type { Accounts } from '#shared/accounts/accounts.ts'
import { isEnded, uploadStates } from '#shared/records/upload.ts'
import type { Uploads } from '#shared/records/uploads.ts'

const LOOK_EVERY_MS = 200
const PAGE = 500
const openStates = uploadStates.filter((state) => !isEnded(state))

interface Deps {
  readonly accounts: Accounts
  readonly uploads: Uploads
  readonly removeWithinMs: number
}

/**
 * Removes an account unless uploads of it have not ended; answers how many. With `cancel` it cancels them and
 * waits for a while: running ones end when their worker has cleaned up.
 */
export async function removeAccount(
  { accounts, uploads, removeWithinMs }: Deps,
  id: string,
  { cancel }: { readonly cancel: boolean },
): Promise<number> {
  if (!cancel) return accounts.remove(id)
  const deadline = Date.now() + removeWithinMs
  for (;;) {
    const cancelled = await cancelAll(uploads, id)
    const open = await accounts.remove(id)
    if (open === 0 || Date.now() > deadline) return open
    // A full page means that there are more to cancel.
    if (cancelled < PAGE) await sleep(LOOK_EVERY_MS)
  }
}

/** Again on every look: others may have been accepted meanwhile. Cancelling twice changes nothing. */
async function cancelAll(uploads: Uploads, account: string): Promise<number> {
  const pages = await Promise.all(
    openStates.map((state) => uploads.list({ account, state }, { limit: PAGE })),
  )
  const ids = pages.flat()
  await Promise.all(ids.map((id) => uploads.want(id, 'cancel')))
  return ids.length
}
