import type { Access } from '#shared/accounts/access.ts'
import type { Accounts } from '#shared/accounts/accounts.ts'
import type { AccountRecord } from '#shared/accounts/records.ts'
import { NeedsPerson } from '#shared/errors.ts'
import type { Providers } from '#shared/providers/index.ts'
import type { AccountAccess, LoginResult, Provider } from '#shared/providers/provider.ts'
import { notFound } from './problem.ts'

interface Deps {
  readonly accounts: Accounts
  readonly access: Access
  readonly providers: Providers
}

export interface Work {
  readonly record: AccountRecord
  readonly provider: Provider
  readonly account: AccountAccess
}

interface Noting {
  readonly record: AccountRecord
  readonly over: 'ready' | 'any'
}

/** Calls of a provider in an account's name, within its limits. */
export function createAccountWork({ accounts, access, providers }: Deps) {
  const find = async (id: string): Promise<AccountRecord> => {
    const record = await accounts.read(id)
    if (record === undefined) throw notFound(`account ${id}`)
    return record
  }

  /** Whoever is told that a person is needed says so on the account, so that nobody else has to find out. */
  const noting = async <T>({ record, over }: Noting, call: () => Promise<T>): Promise<T> => {
    try {
      return await call()
    } catch (error) {
      if (error instanceof NeedsPerson) {
        await accounts.callPerson(record.id, error, { since: record.loginSeq, over })
      }
      throw error
    }
  }

  return {
    find,

    call: async <T>(id: string, work: (on: Work) => Promise<T>): Promise<T> => {
      const record = await find(id)
      const on = { record, provider: providers(record.provider), account: access.open(record) }
      return noting({ record, over: 'ready' }, () => work(on))
    },

    /** A person logs in or hands in a code: the account works again, or asks for what is still missing. */
    logIn: async (id: string, attempt: (on: Work) => Promise<LoginResult>): Promise<void> => {
      const record = await find(id)
      const on = { record, provider: providers(record.provider), account: access.open(record, 'login') }
      const result = await noting({ record, over: 'any' }, () => attempt(on))
      if (result.kind === 'ok') return accounts.setState(id, 'ready')
      const { methods, note = `A code is asked for: ${methods.join(', ')}` } = result
      const reason = new NeedsPerson('needs-2fa', note)
      return accounts.callPerson(id, reason, { since: record.loginSeq, over: 'any', methods })
    },
  }
}
