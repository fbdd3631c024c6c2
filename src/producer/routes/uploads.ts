import { z } from 'zod'
import { type UploadState, uploadStates } from '#shared/records/upload.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { App, Context } from '../context.ts'
import { notFound, Problem } from '../problem.ts'
import { accountId, uploadId } from '../requests.ts'
import { nextAfter, pageOf, pageQuery } from '../views/page.ts'
import { partItem, showParts } from '../views/part.ts'
import { showUpload, type UploadItem, uploadItem } from '../views/upload.ts'
import { refusals } from './answers.ts'

const tags = ['uploads']
const params = z.object({ id: uploadId })

export function uploadRoutes(app: App, context: Context): void {
  acceptRoute(app, context)
  listRoute(app, context)
  showRoute(app, context)
  partsRoute(app, context)
  commandRoute(app, context, 'cancel')
  commandRoute(app, context, 'retry')
}

const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
  .optional()
  .meta({ description: 'Within 24 hours the same key and body mean the same upload; another body is a 409' })

function acceptRoute(app: App, context: Context): void {
  app.post(
    '/v1/uploads',
    {
      schema: {
        tags,
        summary: 'Accept an upload',
        headers: z.object({ 'idempotency-key': idempotencyKey }),
        body: context.requests.upload,
        response: { 202: uploadItem, ...refusals },
      },
    },
    async (request, reply) => {
      const { caller, headers } = request
      const id = await context.enqueue(request.body, { caller, idempotencyKey: headers['idempotency-key'] })
      const item = await show(context, id)
      return reply.code(202).header('location', `/v1/uploads/${id}`).send(item)
    },
  )
}

const listQuery = z.strictObject({
  state: z.enum(uploadStates).optional(),
  account: accountId.optional(),
  ...pageQuery,
})

function listRoute(app: App, context: Context): void {
  app.get(
    '/v1/uploads',
    {
      schema: {
        tags,
        summary: 'List uploads, newest first',
        querystring: listQuery,
        response: { 200: pageOf(uploadItem), ...refusals },
      },
    },
    async ({ query }) => listUploads(context, query),
  )
}

interface ListQuery {
  readonly state?: UploadState | undefined
  readonly account?: string | undefined
  readonly cursor?: string | undefined
  readonly limit: number
}

async function listUploads(context: Context, { state, account, cursor, limit }: ListQuery) {
  const ids = await context.uploads.list({ state, account }, { cursor, limit })
  const records = await context.overview.readEach(ids)
  const readable = records.filter((record): record is UploadRecord => !('unreadable' in record))
  const waitingFor = await context.waitingFor(readable)
  return { items: records.map((record) => showUpload(record, waitingFor)), next: nextAfter(ids, limit) }
}

function showRoute(app: App, context: Context): void {
  app.get(
    '/v1/uploads/:id',
    { schema: { tags, summary: 'Show an upload', params, response: { 200: uploadItem, ...refusals } } },
    async ({ params: { id } }) => show(context, id),
  )
}

async function show({ overview, waitingFor }: Context, id: string): Promise<UploadItem> {
  const [record] = await overview.readEach([id])
  if (record === undefined) throw notFound(`upload ${id}`)
  return showUpload(record, await waitingFor('unreadable' in record ? [] : [record]))
}

function partsRoute(app: App, { overview, parts }: Context): void {
  app.get(
    '/v1/uploads/:id/parts',
    {
      schema: {
        tags,
        summary: 'List the parts of an upload',
        description: 'Empty until the remote upload is opened',
        params,
        response: { 200: pageOf(partItem), ...refusals },
      },
    },
    async ({ params: { id } }) => {
      const [[record], digests] = await Promise.all([overview.readEach([id]), overview.digests(id)])
      if (record === undefined) throw notFound(`upload ${id}`)
      if ('unreadable' in record) throw new Problem(409, record.unreadable)
      const blobs = await Promise.all(
        (record.session?.blobs ?? []).map(async (blob) =>
          showParts(blob, await parts.receipts(record, blob.name), digests),
        ),
      )
      return { items: blobs.flat(), next: null }
    },
  )
}

const summaries = {
  cancel: 'Cancel an upload; what was sent is removed from the provider',
  retry: 'Try a failed or cancelled upload again',
}

function commandRoute(app: App, context: Context, command: 'cancel' | 'retry'): void {
  app.post(
    `/v1/uploads/:id/${command}`,
    { schema: { tags, summary: summaries[command], params, response: { 202: uploadItem, ...refusals } } },
    async ({ params: { id } }, reply) => {
      const { kind, state } = await context.uploads.want(id, command)
      if (kind === 'missing') throw notFound(`upload ${id}`)
      if (kind === 'no-account') throw new Problem(409, `The account of ${id} was removed: add it first`)
      // Asked for again what is done already, perhaps because the first answer was lost.
      const isDone = kind === 'ok' || (command === 'cancel' && state === 'cancelled')
      if (!isDone)
        throw new Problem(409, `${id} is ${state ?? 'in another state'}: there is nothing to ${command}`)
      return reply.code(202).send(await show(context, id))
    },
  )
}
