import type { Accounts } from '#shared/accounts/accounts.ts'
import type { AccountRecord } from '#shared/accounts/records.ts'
import type { Overview } from '#shared/records/overview.ts'
import { isEnded } from '#shared/records/upload.ts'
import type { UploadRecord } from '#shared/records/upload.ts'

/** What is known about the surroundings of a queued upload. */
export interface Surroundings {
  readonly accountState: AccountRecord['state'] | undefined
  /** In ms since 1970. */
  readonly parkedUntil: number | undefined
  /** Whose turn it is at the destination. */
  readonly first: string | undefined
}

/** Why an upload does not move, in words; null when nothing holds it up. */
export function waitingFor(record: UploadRecord, around: Surroundings): string | null {
  if (isEnded(record.state)) return null
  if (record.state !== 'queued') return record.waitingFor ?? null
  const { accountState, parkedUntil, first } = around
  if (accountState !== undefined && accountState !== 'ready') return `account: ${accountState}`
  if (parkedUntil !== undefined) return `account: parked until ${new Date(parkedUntil).toISOString()}`
  return first === undefined || first === record.id ? 'turn' : `destination: ${first}`
}

interface Deps {
  readonly accounts: Accounts
  readonly overview: Overview
}

/** Finds out for many uploads at once: one question per account, and one for all destinations. */
export const createWaitingFor =
  ({ accounts, overview }: Deps) =>
  async (records: readonly UploadRecord[]): Promise<(record: UploadRecord) => string | null> => {
    const queued = records.filter(({ state }) => state === 'queued')
    const [states, firsts] = await Promise.all([
      accountStates(accounts, [...new Set(queued.map(({ account }) => account))]),
      overview.firstInLine([...new Set(queued.map(({ destination }) => destination))]),
    ])
    return (record) =>
      waitingFor(record, {
        accountState: states.get(record.account)?.state,
        parkedUntil: states.get(record.account)?.parkedUntil,
        first: firsts.get(record.destination),
      })
  }

async function accountStates(accounts: Accounts, ids: readonly string[]) {
  const states = await Promise.all(
    ids.map(async (id) => {
      const [account, parked] = await Promise.all([accounts.read(id), accounts.parked(id)])
      const parkedUntil = parked === undefined ? undefined : Date.now() + parked.ms
      return [id, { state: account?.state, parkedUntil }] as const
    }),
  )
  return new Map(states)
}
