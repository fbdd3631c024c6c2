import { account, type Account } from './api/answers.ts'
import type { Api } from './api/client.ts'
import { collect } from './api/pages.ts'
import { UsageError } from './errors.ts'
import { providerNames } from './forms.ts'

/** What to do where there is no account yet. */
export const noAccounts = `There is no account yet: stevedore account add ${providerNames.join('|')} ID`

/** The account that was named, or the only one there is. Throws `UsageError` when it has to be named. */
export const chooseAccount = async (api: Api, named: string | undefined): Promise<string> => {
  if (named !== undefined) return named
  const [only, ...others] = await listAccounts(api)
  if (only === undefined) throw new UsageError(noAccounts)
  if (others.length === 0) return only.id
  throw new UsageError(
    `--account is missing; it is one of ${[only, ...others].map(({ id }) => id).join(', ')}`,
  )
}

export const listAccounts = async (api: Api): Promise<readonly Account[]> => {
  const { items } = await collect(api, { ask: { path: '/v1/accounts' }, item: account }, { limit: Infinity })
  return items
}
