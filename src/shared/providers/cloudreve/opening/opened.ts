import { FatalError } from '#shared/errors.ts'
import type { Blob, Session, Tickets } from '../../provider.ts'
import { deleteSession } from '../site/api.ts'
import { atLeast } from '../site/version.ts'
import type { Opening } from './opening.ts'
import { ticket, transportNames, type Draft, type SessionState, type TransportName } from '../session.ts'
import type { FileInfo, UploadSession } from '../site/shapes.ts'
import { transports } from '../transports/index.ts'
import { TOLD_BY_US, whyUnusable } from './usable.ts'

/** Nothing has to be sent of an empty file: no store is asked to take it, and not every one could. */
export const emptySession = (
  { request: { destination } }: Opening,
  uri: string,
  over: FileInfo | undefined,
): Session => ({
  state: {
    v: 1,
    kind: 'session',
    uri,
    sessionId: '',
    transport: 'empty',
    size: 0,
    mimeType: '',
    since: 0,
    expires: 0,
    ...(over !== undefined && { previous: over.primary_entity }),
    encrypted: false,
    ...(destination.metadata !== undefined && { metadata: destination.metadata }),
  } satisfies SessionState,
  blobs: [{ name: 'file', content: 'source', size: 0, partSize: 1, parallel: 1 }],
})

/** The session as the record keeps it, its secrets saved as tickets. */
export const openedSession = async (
  opening: Opening,
  made: UploadSession,
  creating: NonNullable<Draft['creating']>,
): Promise<Session> => {
  const transport = transportOf(made)
  if (transport === undefined) throw await givenBack(opening, made, unknownPolicy(made))
  const blob = await blobOf(opening, made, transport)
  const problem = whyUnusable(made, transport, blob)
  if (problem !== undefined) throw await givenBack(opening, made, problem)
  const tickets = ticketsOf(made, transport)
  if (Object.keys(tickets).length > 0) await opening.saveTickets(tickets)
  const state: SessionState = {
    v: 1,
    kind: 'session',
    uri: made.uri,
    sessionId: made.session_id,
    transport,
    size: opening.upload.size,
    mimeType: made.mime_type,
    since: creating.since,
    expires: made.expires * 1000,
    ...(creating.previous !== undefined && { previous: creating.previous }),
    ...(creating.wasEmpty !== undefined && { wasEmpty: creating.wasEmpty }),
    encrypted: made.encrypt_metadata !== undefined && made.encrypt_metadata !== null,
  }
  return { state, blobs: [blob] }
}

/** Relaying wins over the kind of store: the site then takes the bytes itself. */
const transportOf = ({
  storage_policy: policy,
}: UploadSession): Exclude<TransportName, 'empty'> | undefined => {
  if (policy.relay) return 'relay'
  const known = transportNames.find((name) => name === policy.type)
  return known === 'empty' ? undefined : known
}

const unknownPolicy = ({ storage_policy: { name, type } }: UploadSession): string =>
  `its storage policy ${JSON.stringify(name)} is of type ${JSON.stringify(type)}, which is not known here: choose ` +
  'another policy, or have the site relay its uploads'

/** Nothing can be sent to it: what the site reserved is given back. */
const givenBack = async (
  { api }: Opening,
  { session_id: id, uri }: UploadSession,
  why: string,
): Promise<FatalError> => {
  await deleteSession(api, { id, uri })
  return new FatalError('refused', `The site opened an upload session that can not be used: ${why}`)
}

const ticketsOf = (made: UploadSession, transport: TransportName): Tickets => ({
  ...Object.fromEntries(made.upload_urls.map((url, index) => [ticket.url(index + 1), url])),
  ...named(ticket.credential, made.credential),
  ...named(ticket.complete, made.completeURL),
  ...(TOLD_BY_US.has(transport) && named(ticket.callback, made.callback_secret)),
  ...named(ticket.uploadPolicy, made.upload_policy),
  ...named(ticket.key, made.encrypt_metadata?.key_plain_text),
  ...named(ticket.iv, made.encrypt_metadata?.iv),
})

const named = (name: string, secret = ''): Tickets => (secret === '' ? {} : { [name]: secret })

/** There is one request for all of it, whatever chunk size the policy has. */
const ONE_CHUNK: ReadonlySet<TransportName> = new Set(['relay', 'upyun'])

/** Sites before this complete a file as soon as its last chunk arrives, whatever else is missing. */
const COUNTS_CHUNKS = '4.18.0'

const blobOf = async (
  { api, upload: { size } }: Opening,
  { chunk_size: chunkSize, storage_policy: policy }: UploadSession,
  transport: Exclude<TransportName, 'empty'>,
): Promise<Blob> => {
  const partSize = ONE_CHUNK.has(transport) || chunkSize <= 0 ? size : chunkSize
  const parallel = transports[transport].inOrder ? 1 : Math.max(1, policy.chunk_concurrency)
  const isTheSites = transport === 'local' || transport === 'remote'
  const lastAfterOthers = isTheSites && parallel > 1 && !atLeast(await api.version(), COUNTS_CHUNKS)
  return {
    name: 'file',
    content: 'source',
    size,
    partSize,
    parallel,
    ...(lastAfterOthers && { lastAfterOthers: true as const }),
  }
}
