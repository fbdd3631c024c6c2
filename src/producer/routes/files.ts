import { randomUUID } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Work } from '../account-work.ts'
import type { App, Context } from '../context.ts'
import { placeWithId } from '../places.ts'
import { Problem, unusable } from '../problem.ts'
import { accountId, MOST_ID } from '../requests.ts'
import { pageOf } from '../views/page.ts'
import { remoteFileView, showRemoteFile } from '../views/remote-file.ts'
import { noContent, refusals } from './answers.ts'

/** A provider that does not answer must not hold a request for ever; a call may be made of several. */
const CALL_MS = 60_000
/** Longer than any removal takes, so that nobody gets the destination in the middle of one. */
const HOLD_MS = CALL_MS + 30_000

/** What a destination's owner is called that is no upload. */
const REMOVAL = 'removal-'

const tags = ['files']
const file = z.string().min(1).max(MOST_ID).meta({ description: "The provider's id of the file" })
const version = z
  .string()
  .regex(/^[\w.-]{1,100}$/, 'must be a number or an id of a version')
  .meta({ description: 'As the provider calls it' })
const fileParams = z.object({ id: accountId, file })
const versionParams = z.object({ id: accountId, file, version })

/** The provider's own files, whoever put them there. */
export function fileRoutes(app: App, context: Context): void {
  listRoute(app, context)
  showRoute(app, context)
  contentRoute(app, context)
  removeFileRoute(app, context)
  removeVersionRoute(app, context)
}

const listQuery = z.strictObject({
  folder: z
    .string()
    .min(1)
    .max(MOST_ID)
    .optional()
    .meta({ description: 'Where, at a provider that has folders' }),
  tag: z
    .string()
    .max(200)
    .optional()
    .meta({ description: 'Only files with it, at a provider that has tags' }),
  n: z.coerce.number().int().min(1).max(100).default(60),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
})

function listRoute(app: App, { work }: Context): void {
  app.get(
    '/v1/accounts/:id/files',
    {
      schema: {
        tags,
        summary: "List the provider's files",
        params: z.object({ id: accountId }),
        querystring: listQuery,
        response: { 200: pageOf(remoteFileView), ...refusals },
      },
    },
    async ({ params: { id }, query: { folder, tag, n, offset }, signal }) => {
      const query = { ...(folder !== undefined && { folder }), ...(tag !== undefined && { tag }), n, offset }
      const files = await work.call(id, async ({ provider, account }) =>
        provider.list(account, query, bounded(signal)),
      )
      return { items: files.map(showRemoteFile), next: null }
    },
  )
}

function showRoute(app: App, { work }: Context): void {
  app.get(
    '/v1/accounts/:id/files/:file',
    {
      schema: {
        tags,
        summary: "Show one of the provider's files",
        params: fileParams,
        response: { 200: remoteFileView, ...refusals },
      },
    },
    async ({ params: { id, file }, signal }) =>
      showRemoteFile(
        await work.call(id, async ({ provider, account }) => provider.show(account, file, bounded(signal))),
      ),
  )
}

function contentRoute(app: App, { work }: Context): void {
  app.get(
    '/v1/accounts/:id/files/:file/versions/:version/content',
    {
      schema: {
        tags,
        summary: 'Download a version',
        params: versionParams,
        response: {
          200: {
            description: 'The bytes',
            content: { 'application/octet-stream': { schema: z.any().meta({ format: 'binary' }) } },
          },
          ...refusals,
        },
      },
    },
    async ({ params: { id, file, version }, signal }, reply) => {
      // No time limit: the file may be large. The provider's client notices when no byte moves.
      const { body, size, fileName } = await work.call(id, async ({ provider, account }) =>
        provider.download(account, { remoteId: file, version }, signal),
      )
      if (size !== undefined) reply.header('content-length', size)
      return asAttachment(reply, fileName).send(body)
    },
  )
}

function asAttachment(reply: FastifyReply, fileName: string): FastifyReply {
  const plain = fileName.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(fileName.toWellFormed()).replace(/['()*]/g, escape)
  return reply
    .type('application/octet-stream')
    .header('content-disposition', `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`)
}

const escape = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`

function removeFileRoute(app: App, context: Context): void {
  app.delete(
    '/v1/accounts/:id/files/:file',
    {
      schema: {
        tags,
        summary: 'Remove a file with all its versions',
        params: fileParams,
        response: { 204: noContent, ...refusals },
      },
    },
    async ({ params: { id, file } }, reply) => {
      await remove(context, id, { remoteId: file })
      return reply.code(204).send(null)
    },
  )
}

function removeVersionRoute(app: App, context: Context): void {
  app.delete(
    '/v1/accounts/:id/files/:file/versions/:version',
    {
      schema: {
        tags,
        summary: 'Remove one version of a file',
        params: versionParams,
        response: { 204: noContent, ...refusals },
      },
    },
    async ({ params: { id, file, version } }, reply) => {
      await remove(context, id, { remoteId: file, version })
      return reply.code(204).send(null)
    },
  )
}

type Removed = Parameters<Work['provider']['remove']>[1]

/** Not ended by a caller who goes away: half a removal helps nobody. */
async function remove({ work, overview }: Context, id: string, which: Removed): Promise<void> {
  await work.call(id, async ({ provider, account }) => {
    const place = placeWithId(provider, id, which.remoteId)
    if (place === undefined) throw unusable('file', 'is no id of a file')
    const holder = `${REMOVAL}${randomUUID()}`
    const owner = await overview.hold(place.key, holder, HOLD_MS)
    if (owner !== undefined) throw isTaken(owner)
    try {
      await provider.remove(account, which, AbortSignal.timeout(CALL_MS))
    } finally {
      await overview.release(place.key, holder)
    }
  })
}

const isTaken = (owner: string): Problem =>
  owner.startsWith(REMOVAL)
    ? new Problem(409, 'This file is being removed right now')
    : new Problem(409, `${owner} is at work on this file: cancel it, or wait for it`, { upload: owner })

const bounded = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)])
