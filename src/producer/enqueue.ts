import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import type { Accounts } from '#shared/accounts/accounts.ts'
import type { AccountRecord } from '#shared/accounts/records.ts'
import { FatalError } from '#shared/errors.ts'
import { newUploadId } from '#shared/ids.ts'
import type { Providers } from '#shared/providers/index.ts'
import type { Provider } from '#shared/providers/provider.ts'
import type { Idempotency, NewUpload } from '#shared/records/commands.ts'
import type { Overview } from '#shared/records/overview.ts'
import type { Uploads } from '#shared/records/uploads.ts'
import { parseSource } from '#shared/sources/file.ts'
import type { FileSources } from '#shared/sources/file.ts'
import { OutsideRoots } from '#shared/sources/refusal.ts'
import { Problem, unusable } from './problem.ts'
import type { UploadRequest } from './requests.ts'

const IDEMPOTENT_FOR_MS = 24 * 60 * 60 * 1000

interface Deps {
  readonly uploads: Uploads
  readonly overview: Overview
  readonly accounts: Accounts
  readonly providers: Providers
  readonly sources: FileSources
  /** How long an upload may take that sets no deadline of its own. */
  readonly deadlineMs: number
}

export interface Asked {
  /** Who asks: keys of different callers have nothing to do with each other. */
  readonly caller: string
  /** The same key with the same request means the same upload. */
  readonly idempotencyKey?: string | undefined
}

export type Enqueue = (request: UploadRequest, asked: Asked) => Promise<string>

/** Takes a checked request into the queue and answers the upload's id: the only way in. */
export function createEnqueue(deps: Deps): Enqueue {
  const { uploads, overview, accounts, sources } = deps
  return async (request, { caller, idempotencyKey }) => {
    const idempotency =
      idempotencyKey === undefined ? undefined : idempotencyOf(request, caller, idempotencyKey)
    const { path } = sourceOf(request)
    const fingerprint = sources.fingerprint(path).catch(refuseSource)
    // Awaited only below: a repeated request is answered even if its source is gone by now.
    fingerprint.catch(() => undefined)
    const [before, account, now] = await Promise.all([
      idempotency === undefined ? undefined : overview.acceptedBefore(idempotency),
      accounts.read(request.account),
      uploads.now(),
    ])
    if (before !== undefined) return same(before)

    const { size } = await fingerprint
    const upload = newUpload(deps, request, { account: mustExist(account, request), size, path, now })
    const accepted = await uploads.accept(upload, idempotency)
    if (accepted.kind === 'no-account') throw noAccount(request.account)
    return same(accepted)
  }
}

function sourceOf({ source }: UploadRequest): { readonly path: string } {
  try {
    return parseSource(source)
  } catch (error) {
    return refuseSource(error)
  }
}

function refuseSource(error: unknown): never {
  if (!(error instanceof FatalError)) throw error
  const { message } = error
  const status = error instanceof OutsideRoots ? 403 : 422
  throw new Problem(status, message, { errors: [{ path: 'source', message }], cause: error })
}

function mustExist(account: AccountRecord | undefined, request: UploadRequest): AccountRecord {
  if (account === undefined) throw noAccount(request.account)
  if (account.provider === request.provider) return account
  throw unusable('provider', `the account ${account.id} is one of ${account.provider}`)
}

const noAccount = (id: string): Problem => unusable('account', `there is no account ${id}: add it first`)

function same({ kind, id }: { readonly kind: string; readonly id: string }): string {
  if (kind !== 'conflict') return id
  throw new Problem(409, `This Idempotency-Key was used for another request, which made ${id}`, {
    upload: id,
  })
}

interface Found {
  readonly account: AccountRecord
  readonly size: number
  readonly path: string
  /** By Redis's clock, which is the one that deadlines are judged by. */
  readonly now: number
}

function newUpload(deps: Deps, request: UploadRequest, { account, size, path, now }: Found): NewUpload {
  const id = newUploadId()
  const provider = deps.providers(request.provider)
  const { provided } = request
  return {
    id,
    provider: provider.name,
    account: account.id,
    request: provided,
    ...planned(provider, provided, { account, size, fileName: basename(path) }),
    source: request.source,
    fileName: basename(path),
    size,
    priority: request.priority,
    verify: provided['verify'] === 'download' ? 'download' : 'none',
    deadline: request.deadline === undefined ? now + deps.deadlineMs : Date.parse(request.deadline),
  }
}

/** What the provider makes of it; it refuses here what can never work. */
function planned(
  provider: Provider,
  request: unknown,
  { account, size, fileName }: { account: AccountRecord; size: number; fileName: string },
): Pick<NewUpload, 'plan' | 'destination'> {
  return {
    plan: provider.plan(request, size, account.settings),
    destination: provider.destination(account.id, request, fileName),
  }
}

const idempotencyOf = (request: UploadRequest, caller: string, key: string): Idempotency => ({
  key: sha256(`${caller} ${key}`),
  bodyHash: sha256(canonical(request)),
  ttlMs: IDEMPOTENT_FOR_MS,
})

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The same text for the same values, in whatever order they were sent. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
