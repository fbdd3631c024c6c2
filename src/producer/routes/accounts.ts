import { z } from 'zod'
import type { AccountRecord } from '#shared/accounts/records.ts'
import type { Limits } from '#shared/providers/provider.ts'
import type { App, Context } from '../context.ts'
import { removeAccount } from '../remove-account.ts'
import { notFound, Problem } from '../problem.ts'
import { accountId } from '../requests.ts'
import { type AccountView, accountView, showAccount } from '../views/account.ts'
import { nextAfter, pageOf, pageQuery } from '../views/page.ts'
import { checkWith, invalid } from '../validation.ts'
import { noContent, refusals } from './answers.ts'

const tags = ['accounts']
const params = z.object({ id: accountId })

export function accountRoutes(app: App, context: Context): void {
  createRoute(app, context)
  listRoute(app, context)
  showRoute(app, context)
  changeRoute(app, context)
  removeRoute(app, context)
}

function createRoute(app: App, context: Context): void {
  const { accounts, providers, requests } = context
  app.post(
    '/v1/accounts',
    {
      schema: {
        tags,
        summary: 'Add an account',
        description: 'Secrets are kept encrypted, and no answer holds them.',
        body: requests.account,
        response: { 201: accountView, ...refusals },
      },
    },
    async ({ body }, reply) => {
      const limits = mergedLimits(providers(body.provider).limits, body.limits)
      const isNew = await accounts.create({ ...body, limits })
      if (!isNew) throw new Problem(409, `There is an account ${body.id} already`)
      const view = await show(context, body.id)
      return reply.code(201).header('location', `/v1/accounts/${body.id}`).send(view)
    },
  )
}

function listRoute(app: App, context: Context): void {
  app.get(
    '/v1/accounts',
    {
      schema: {
        tags,
        summary: 'List accounts by id',
        querystring: z.strictObject(pageQuery),
        response: { 200: pageOf(accountView), ...refusals },
      },
    },
    async ({ query: { cursor = '', limit } }) => {
      const ids = (await context.accounts.list()).filter((id) => id > cursor).slice(0, limit)
      const records = await Promise.all(ids.map((id) => context.accounts.read(id)))
      const found = records.filter((record) => record !== undefined)
      return {
        items: await Promise.all(found.map((record) => view(context, record))),
        next: nextAfter(ids, limit),
      }
    },
  )
}

function showRoute(app: App, context: Context): void {
  app.get(
    '/v1/accounts/:id',
    { schema: { tags, summary: 'Show an account', params, response: { 200: accountView, ...refusals } } },
    async ({ params: { id } }) => show(context, id),
  )
}

/** An account as it is now; the answer of everything that changes one. */
export async function show(context: Context, id: string): Promise<AccountView> {
  return view(context, await context.work.find(id))
}

async function view({ accounts }: Context, record: AccountRecord): Promise<AccountView> {
  const [parked, activeUploads] = await Promise.all([
    accounts.parked(record.id),
    accounts.activeUploads(record.id),
  ])
  return showAccount(record, { parked, activeUploads })
}

const checkParams = checkWith(params)

function changeRoute(app: App, context: Context): void {
  app.patch(
    '/v1/accounts/:id',
    {
      schema: {
        tags,
        summary: 'Change settings, limits or secrets of an account',
        description: 'What is left out stays as it is; a secret that is null is forgotten.',
        params,
        body: context.requests.anyPatch,
        response: { 200: accountView, ...refusals },
      },
      // Which of the documented schemas holds is known only when the account was read.
      validatorCompiler: ({ httpPart }) =>
        httpPart === 'body' ? (body: unknown) => ({ value: body }) : checkParams,
    },
    async ({ params: { id }, body }) => {
      await change(context, await context.work.find(id), body)
      return show(context, id)
    },
  )
}

async function change(context: Context, account: AccountRecord, body: unknown): Promise<void> {
  const { accounts, providers, requests } = context
  const provider = providers(account.provider)
  const patch = requests.patch(account.provider, body)
  if (!patch.success) throw invalid(patch.error)
  const settings = provider.settings.parse({ ...objectOf(account.settings), ...patch.data.settings })
  const limits = mergedLimits(account.limits, patch.data.limits)
  const save = async (credentials?: unknown): Promise<void> => {
    const isThere = await accounts.update(account.id, { settings, limits, credentials })
    if (!isThere) throw notFound(`account ${account.id}`)
  }
  if (Object.keys(patch.data.credentials).length === 0) return save()

  const merged = { ...objectOf(await accounts.credentials(account.id)), ...patch.data.credentials }
  const kept = Object.fromEntries(Object.entries(merged).filter(([, secret]) => secret !== null))
  return save(provider.credentials.parse(kept))
}

const objectOf = (value: unknown): Record<string, unknown> => z.record(z.string(), z.unknown()).parse(value)

const mergedLimits = (
  limits: Limits,
  change: Partial<{ [K in keyof Limits]: Limits[K] | undefined }>,
): Limits => ({
  maxActiveUploads: change.maxActiveUploads ?? limits.maxActiveUploads,
  partsAtOnce: change.partsAtOnce ?? limits.partsAtOnce,
  callsAtOnce: change.callsAtOnce ?? limits.callsAtOnce,
  callSpacingMs: change.callSpacingMs ?? limits.callSpacingMs,
})

function removeRoute(app: App, context: Context): void {
  app.delete(
    '/v1/accounts/:id',
    {
      schema: {
        tags,
        summary: 'Remove an account',
        description: 'Refused while it has uploads that have not ended; `force` cancels these first.',
        params,
        querystring: z.strictObject({ force: z.stringbool().default(false) }),
        response: { 204: noContent, ...refusals },
      },
    },
    async ({ params: { id }, query: { force } }, reply) => {
      if (!(await context.accounts.isThere(id))) throw notFound(`account ${id}`)
      const open = await removeAccount(context, id, { cancel: force })
      if (open > 0) throw stillOpen(id, open, force)
      return reply.code(204).send(null)
    },
  )
}

const stillOpen = (id: string, open: number, force: boolean): Problem =>
  new Problem(
    409,
    force
      ? `${open} uploads of ${id} are being cancelled and have not ended yet: repeat the request, and see that a worker runs`
      : `${open} uploads of ${id} have not ended: wait for them, cancel them, or remove it with force=true`,
  )
