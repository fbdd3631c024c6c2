import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { Problem, unusable } from '#producer/problem.ts'
import { createRequests } from '#producer/requests.ts'
import { invalid } from '#producer/validation.ts'
import { accountView } from '#producer/views/account.ts'
import { pageOf } from '#producer/views/page.ts'
import { remoteFileView } from '#producer/views/remote-file.ts'
import { uploadItem } from '#producer/views/upload.ts'
import { ledgerItem } from '#producer/views/version.ts'
import { createProviderList } from '#shared/providers/index.ts'

export const TOKEN = 'token-of-the-stand-in-0123456789'
export const FILE_ID = 'file_00000000-0000-4000-8000-000000000001'
export const DRIVE_FILE = 'cloudreve://my/back%20ups/a%20%231%20100%25%2B.zip'
export const DRIVE_VERSION = 'kYLm-T.q_1'
export const PICTURE = Buffer.from('the bytes of a picture')
export const CONTENT = Buffer.from('the bytes of version 2')

const providers = createProviderList()
const requests = createRequests(providers)

interface Request {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly key: string | undefined
  readonly body: Record<string, unknown>
}

/** A server that answers like the API: it takes and gives only what the real schemas allow. */
export interface StandIn extends AsyncDisposable {
  readonly url: string
  readonly requests: Request[]
  /** The code that a login asks for; none unless set. */
  code?: string
  /** What a login's picture shows; there is none unless set. A wrong answer ends that login. */
  captcha?: string
  /** Answers nothing and cuts every connection. */
  away: boolean
  /** Ends a download before its end. */
  cut: boolean
  /** How often removing an account is refused first. */
  busy: number
  readonly asked: (method: string, path: RegExp) => Request[]
}

interface State extends Omit<StandIn, 'url' | 'asked' | typeof Symbol.asyncDispose> {
  readonly uploads: Map<string, Record<string, unknown> & { step: number; fileName: string }>
  readonly keys: Map<string, { readonly id: string; readonly body: string }>
  readonly accounts: Map<string, Record<string, unknown>>
  readonly deleted: Set<string>
}

interface Options {
  readonly port?: number
  /** Accounts of VRChat. */
  readonly accounts?: readonly string[]
  /** Accounts of Cloudreve. */
  readonly drives?: readonly string[]
}

export async function startStandIn(options: Options = {}): Promise<StandIn> {
  const { port = 0, accounts = ['main'], drives = [] } = options
  const state: State = {
    requests: [],
    away: false,
    busy: 0,
    cut: false,
    uploads: new Map(),
    keys: new Map(),
    accounts: new Map([
      ...accounts.map((id) => [id, newAccount({ id, contact: 'me@stevedore.test' })] as const),
      ...drives.map((id) => [id, newAccount({ id, provider: 'cloudreve' })] as const),
    ]),
    deleted: new Set(),
  }
  const server = createServer((request, response) => {
    if (state.away) request.destroy()
    else void serve(state, request, response)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  // A TCP server's address is an object.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { port: taken } = server.address() as AddressInfo
  return Object.assign(state, {
    url: `http://127.0.0.1:${taken}`,
    asked: (method: string, path: RegExp) =>
      state.requests.filter((request) => request.method === method && path.test(request.path)),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const asked = await read(request)
    state.requests.push(asked)
    if (request.headers.authorization !== `Bearer ${TOKEN}`) throw new Problem(401, 'A token is needed')
    const route = findRoute(asked)
    await route(state, asked, response)
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem(500, String(error))
    send(response, problem.status, problem.body, 'application/problem+json')
  }
}

async function read(request: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(z.instanceof(Buffer).parse(chunk))
  const text = Buffer.concat(chunks).toString()
  if (text !== '' && request.headers['content-type'] !== 'application/json') {
    throw new Problem(415, 'The body must be JSON')
  }
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    key: z.string().optional().parse(request.headers['idempotency-key']),
    body: text === '' ? {} : z.record(z.string(), z.unknown()).parse(JSON.parse(text)),
  }
}

function send(response: ServerResponse, status: number, body: unknown, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type })
  response.end(body === undefined ? '' : JSON.stringify(body))
}

type Route = (state: State, asked: Request, response: ServerResponse) => void | Promise<void>

function findRoute({ method, path }: Request): Route {
  const name = `${method} ${path.split('?')[0] ?? ''}`
  const found = routes.find(([pattern]) => pattern.test(name))
  if (found === undefined) throw new Problem(404, `There is nothing at ${name}`)
  return found[1]
}

const idIn = (path: string, index: number): string =>
  decodeURIComponent(path.split('?')[0]?.split('/')[index] ?? '')
const queryIn = (path: string): URLSearchParams => new URL(path, 'http://x').searchParams

const routes: readonly (readonly [RegExp, Route])[] = [
  [/^POST \/v1\/uploads$/, acceptUpload],
  [/^GET \/v1\/uploads$/, listUploads],
  [/^GET \/v1\/uploads\/[^/]+$/, showUpload],
  [/^POST \/v1\/uploads\/[^/]+\/(cancel|retry)$/, commandUpload],
  [/^POST \/v1\/accounts$/, addAccount],
  [
    /^GET \/v1\/accounts$/,
    ({ accounts }, _, response) =>
      send(response, 200, pageOf(accountView).parse({ items: [...accounts.values()], next: null })),
  ],
  [
    /^GET \/v1\/accounts\/[^/]+$/,
    ({ accounts }, { path }, response) => send(response, 200, accountOf(accounts, path)),
  ],
  [/^PATCH \/v1\/accounts\/[^/]+$/, changeAccount],
  [/^DELETE \/v1\/accounts\/[^/]+$/, removeAccount],
  [/^POST \/v1\/accounts\/[^/]+\/(login|challenge)$/, logIn],
  [
    /^GET \/v1\/accounts\/[^/]+\/files$/,
    (state, asked, response) => send(response, 200, listFiles(state, asked)),
  ],
  [
    /^GET \/v1\/accounts\/[^/]+\/files\/[^/]+$/,
    (state, asked, response) => send(response, 200, fileOf(state, asked)),
  ],
  [/^GET \/v1\/accounts\/[^/]+\/files\/[^/]+\/versions\/[^/]+\/content$/, sendContent],
  [/^DELETE \/v1\/accounts\/[^/]+\/files\/[^/]+(\/versions\/[^/]+)?$/, removeFile],
  [/^GET \/v1\/versions$/, (_, asked, response) => send(response, 200, listVersions(asked))],
]

function acceptUpload(
  { accounts, uploads, keys }: State,
  { body, key }: Request,
  response: ServerResponse,
): void {
  const checked = requests.upload.safeParse(body)
  if (!checked.success) throw invalid(checked.error)
  const { account, source, provider } = checked.data
  const text = JSON.stringify(body)
  if (key === undefined) throw unusable('idempotency-key', 'is missing')
  const before = keys.get(key)
  if (before !== undefined && before.body !== text) throw new Problem(409, 'another body')
  if (before !== undefined) return send(response, 202, viewOf(uploads.get(before.id)))
  if (!accounts.has(account)) throw unusable('account', `there is no account ${account}: add it first`)
  if (source.includes('outside'))
    throw new Problem(403, 'it is outside the source roots', {
      errors: [{ path: 'source', message: 'outside' }],
    })
  const id = `upl_${createHash('md5').update(key).digest('hex')}`
  const destination = body['destination']
  uploads.set(id, {
    id,
    provider,
    account,
    source,
    destination,
    fileName: basename(fileURLToPath(source)),
    step: 0,
  })
  keys.set(key, { id, body: text })
  send(response, 202, viewOf(uploads.get(id)))
}

const steps = ['queued', 'preparing', 'transferring', 'transferring', 'confirming', 'completed'] as const

/** An upload as far as it has come; each look at it is a step. */
function viewOf(upload: ReturnType<State['uploads']['get']>): unknown {
  if (upload === undefined) throw new Problem(404, 'There is no such upload')
  const { step, fileName, stopped, ...rest } = upload
  const state = typeof stopped === 'string' ? stopped : stateAt(step, fileName)
  const arrived = state === 'completed' || state === 'skipped'
  return uploadItem.parse({
    ...fresh,
    ...rest,
    fileName,
    state,
    waitingFor: state === 'queued' ? 'turn' : null,
    bytesSent: Math.min(2, Math.max(0, step - 1)) * 1000,
    parts: { total: step >= 2 ? 2 : 0, done: Math.min(2, Math.max(0, step - 1)) },
    version: arrived ? (rest['provider'] === 'cloudreve' ? driveVersion : versionNumber(3)) : null,
    error: state === 'failed' ? { class: 'refused', message: 'PUT part 1 → 403\u001b[2J', at: TIME } : null,
    endedAt: arrived ? LATER : null,
  })
}

function stateAt(step: number, fileName: string): string {
  const state = steps[step] ?? 'completed'
  if (state !== 'completed') return state
  if (fileName.includes('bad')) return 'failed'
  return fileName.includes('same') ? 'skipped' : state
}

const TIME = '2026-01-02T03:04:05.000Z'
const LATER = '2026-01-02T03:04:17.000Z'

const fresh = {
  priority: 100,
  epoch: 1,
  attempts: 1,
  desired: 'run',
  size: 2000,
  bytesResent: 0,
  note: null,
  deadline: TIME,
  createdAt: TIME,
  updatedAt: TIME,
  startedAt: TIME,
}

const versionNumber = (number: number) => ({
  remoteId: FILE_ID,
  number,
  size: 2000,
  md5: '900150983cd24fb0d6963f7d28e17f72',
  url: null,
  completedAt: LATER,
})

const driveVersion = { ...versionNumber(3), remoteId: DRIVE_FILE, number: DRIVE_VERSION, md5: null }

function showUpload({ uploads }: State, { path }: Request, response: ServerResponse): void {
  const upload = uploads.get(idIn(path, 3))
  if (upload !== undefined) upload.step += 1
  send(response, 200, viewOf(upload))
}

function listUploads({ uploads }: State, { path }: Request, response: ServerResponse): void {
  const query = queryIn(path)
  const limit = Number(query.get('limit'))
  const all = [...uploads.values()].filter(({ account }) => account === (query.get('account') ?? account))
  const from = query.get('cursor') === null ? 0 : all.findIndex(({ id }) => id === query.get('cursor')) + 1
  const items = all.slice(from, from + limit)
  const next = items.length < limit ? null : (items.at(-1)?.['id'] ?? null)
  send(response, 200, pageOf(uploadItem).parse({ items: items.map(viewOf), next }))
}

function commandUpload({ uploads }: State, { path }: Request, response: ServerResponse): void {
  const upload = uploads.get(idIn(path, 3))
  if (upload === undefined) throw new Problem(404, 'There is no such upload')
  upload['stopped'] = path.endsWith('cancel') ? 'cancelled' : 'queued'
  send(response, 202, viewOf(upload))
}

const newAccount = (settings: Record<string, unknown>): Record<string, unknown> => ({
  provider: 'vrchat',
  state: 'ready',
  stateReason: null,
  challengeMethods: [],
  parked: null,
  activeUploads: 0,
  limits: { maxActiveUploads: 20, partsAtOnce: 3, callsAtOnce: 1, callSpacingMs: 200 },
  createdAt: TIME,
  ...settings,
})

function accountOf(accounts: State['accounts'], path: string): unknown {
  const account = accounts.get(idIn(path, 3))
  if (account === undefined) throw new Problem(404, `There is no account ${idIn(path, 3)}`)
  return accountView.parse(account)
}

function addAccount({ accounts }: State, { body }: Request, response: ServerResponse): void {
  const checked = requests.account.safeParse(body)
  if (!checked.success) throw invalid(checked.error)
  const { id, provider, settings } = checked.data
  if (body['password'] === 'echo-this-back') throw new Problem(422, 'the password echo-this-back is too weak')
  accounts.set(id, newAccount({ ...z.record(z.string(), z.unknown()).parse(settings), id, provider }))
  send(response, 201, accountView.parse(accounts.get(id)))
}

function changeAccount({ accounts }: State, { path, body }: Request, response: ServerResponse): void {
  const checked = requests.patch(providerIn(accounts, path), body)
  if (!checked.success) throw invalid(checked.error)
  send(response, 200, accountOf(accounts, path))
}

const providerIn = (accounts: State['accounts'], path: string): string =>
  z.string().parse(accounts.get(idIn(path, 3))?.['provider'])

function removeAccount(state: State, { path }: Request, response: ServerResponse): void {
  accountOf(state.accounts, path)
  if (state.busy > 0) {
    state.busy -= 1
    throw new Problem(409, '1 uploads of main have not ended')
  }
  state.accounts.delete(idIn(path, 3))
  send(response, 204, undefined)
}

function logIn(state: State, { path, body }: Request, response: ServerResponse): void {
  const account = state.accounts.get(idIn(path, 3))
  if (account === undefined) throw new Problem(404, 'There is no such account')
  Object.assign(account, path.endsWith('challenge') ? afterAnswer(state, account, body) : afterLogin(state))
  send(response, 200, accountView.parse(account))
}

const loggedIn = { state: 'ready', stateReason: null, challengeMethods: [] }

const afterLogin = ({ code, captcha }: State): Record<string, unknown> => {
  if (captcha !== undefined) return { ...needsPicture, challengeMethods: ['captcha'] }
  return code === undefined ? loggedIn : { state: 'needs-2fa', challengeMethods: ['totp', 'otp'] }
}

const needsPicture = {
  state: 'needs-2fa',
  stateReason: `It asks for a captcha: look at data:image/png;base64,${PICTURE.toString('base64')}`,
}

function afterAnswer(
  { code, captcha }: State,
  account: Record<string, unknown>,
  { method, code: given }: Record<string, unknown>,
): Record<string, unknown> {
  const methods = z.array(z.unknown()).parse(account['challengeMethods'])
  const isRight = given === (method === 'captcha' ? captcha : code)
  if (methods.includes(method) && isRight && method !== 'otp') {
    if (method === 'totp' || code === undefined) return loggedIn
    return { state: 'needs-2fa', stateReason: null, challengeMethods: ['totp'] }
  }
  if (method === 'captcha') Object.assign(account, { state: 'needs-login', challengeMethods: [] })
  throw new Problem(422, 'VRChat refused the code')
}

const remote = {
  id: FILE_ID,
  name: 'My world',
  versions: [2, 1].map((number) => ({
    number,
    status: 'complete',
    size: CONTENT.length,
    md5: null,
    createdAt: TIME,
  })),
}

const onDrive = [
  { id: 'cloudreve://my/back%20ups/old', name: 'old/', versions: [] },
  {
    id: DRIVE_FILE,
    name: 'a #1 100%+.zip',
    versions: [DRIVE_VERSION, 'older'].map((number, index) => ({
      number,
      status: index === 0 ? 'current' : 'stored',
      size: CONTENT.length,
      md5: null,
      createdAt: TIME,
    })),
  },
]

function listFiles({ accounts }: State, { path }: Request): unknown {
  const query = queryIn(path)
  const isDrive = providerIn(accounts, path) === 'cloudreve'
  const items = isDrive ? onDrive : query.get('tag') === 'none' ? [] : [remote]
  return pageOf(remoteFileView).parse({ items, next: null })
}

function fileOf({ accounts, deleted }: State, { path }: Request): unknown {
  const id = idIn(path, 5)
  const files = providerIn(accounts, path) === 'cloudreve' ? onDrive : [remote]
  const found = files.find((file) => file.id === id && !deleted.has(id))
  if (found === undefined) throw new Problem(404, 'There is no such file')
  return remoteFileView.parse(found)
}

function sendContent(state: State, asked: Request, response: ServerResponse): void {
  fileOf(state, asked)
  response.writeHead(200, {
    'content-length': CONTENT.length,
    'content-disposition': `attachment; filename="_.vrcw"; filename*=UTF-8''..%2Fw%C3%B6rld.vrcw`,
  })
  if (!state.cut) return void response.end(CONTENT)
  response.write(CONTENT.subarray(0, 5))
  setTimeout(() => response.destroy(), 50)
}

function removeFile(state: State, asked: Request, response: ServerResponse): void {
  fileOf(state, asked)
  state.deleted.add(asked.path.includes('/versions/') ? randomUUID() : idIn(asked.path, 5))
  send(response, 204, undefined)
}

function listVersions({ path }: Request): unknown {
  const query = queryIn(path)
  if (query.get('account') === null || query.get('destination') === null)
    throw unusable('destination', 'is missing')
  const version = query.get('destination')?.startsWith('cloudreve:') ? driveVersion : versionNumber(3)
  return pageOf(ledgerItem).parse({ items: [{ ...version, upload: 'upl_1' }], next: null })
}
