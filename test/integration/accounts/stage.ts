import { setTimeout as sleep } from 'node:timers/promises'
import type { Limits } from '#shared/providers/provider.ts'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'
import type { AccountRecord } from '#shared/accounts/records.ts'

/** Records with the account `main`. */
export async function openMain(limits: Partial<Limits> = {}): Promise<Records> {
  const records = await openRecords()
  await records.addAccount('main', limits)
  return records
}

export async function account({ stores }: Records, id = 'main'): Promise<AccountRecord> {
  const record = await stores.accounts.read(id)
  if (record === undefined) throw new Error(`There is no account ${id}`)
  return record
}

/** What every account has, to change something of it. */
export const settingsOf = ({ settings, limits }: AccountRecord) => ({ settings, limits })

export const never = new AbortController().signal

export async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (const giveUpAt = Date.now() + 10_000; !(await check()); await sleep(5)) {
    if (Date.now() > giveUpAt) throw new Error('Waited in vain')
  }
}
