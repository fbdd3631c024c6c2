import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { createAccounts } from './accounts.ts'
import { apiFaultReply, apiTarget, countCall, noteRetryAfter, processApi } from './api.ts'
import { serveControl } from './control.ts'
import type { Core, Exchange } from './core.ts'
import { runExchange } from './exchange.ts'
import type { FakeVrchat } from './fake-vrchat.ts'
import { createFaults } from './faults.ts'
import { createFileStore, openVersionsOf } from './file-store.ts'
import { createGrants } from './grants.ts'
import { bytesOf, filesState, findBlob, totals } from './inspection.ts'
import { type Target, createLedger } from './ledger.ts'
import { type FakeVrchatOptions, resolveSettings } from './options.ts'
import { createPartDisk } from './part-disk.ts'
import { seedFile, seedVersion } from './seeding.ts'
import { tamper } from './tampering.ts'
import { processStorage, storageFaultReply } from './storage.ts'

export type { FakeVrchat } from './fake-vrchat.ts'
export type { FaultRule } from './faults.ts'
export type { HookEvent, LedgerEntry, Operation } from './ledger.ts'
export type { FakeVrchatOptions, UserSpec } from './options.ts'

/** The VRChat Files API and its storage, on two ports of 127.0.0.1, checking what it receives. */
export async function startFakeVrchat(options: FakeVrchatOptions = {}): Promise<FakeVrchat> {
  const settings = resolveSettings(options)
  const closing = new AbortController()
  const urls = { api: '', storage: '', control: '' }
  const disk = await createPartDisk(settings)
  const viewOptions = () => ({ legacy: settings.legacyFiles, apiUrl: urls.api, storageUrl: urls.storage })
  const ledger = createLedger()
  const faults = createFaults()
  const core: Core = {
    settings,
    urls,
    ledger,
    faults,
    violations: [],
    accounts: createAccounts(),
    store: createFileStore({ settings, disk, viewOptions, closing: closing.signal }),
    disk,
    grants: createGrants(settings),
    hooks: {},
  }
  for (const user of settings.users) core.accounts.add(user)

  function open(request: IncomingMessage, response: ServerResponse, storage: boolean): Exchange {
    const rawUrl = request.url ?? '/'
    const method = request.method ?? 'GET'
    const url = new URL(rawUrl, storage ? urls.storage : urls.api)
    const identity = core.accounts.identify(storage ? {} : request.headers)
    const target = storage
      ? storageTarget(core, method, url)
      : apiTarget(method, url.pathname.replace(/^\/api\/1/, ''), url, identity.basic !== undefined)
    const { headers } = request
    const entry = ledger.open({
      ...target,
      method,
      path: url.pathname,
      rawUrl,
      headers,
      user: storage ? core.grants.find(url)?.upload.file.owner : identity.username,
    })
    return { request, response, socket: request.socket, url, entry, identity, fault: faults.pick(entry) }
  }

  async function serveApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/control') === true) return serveControl(fake, request, response)
    const exchange = open(request, response, false)
    exchange.entry.fault = exchange.fault?.kind
    const account = core.accounts.byName.get(exchange.entry.user ?? '')
    const leave = account && countCall(core, account, exchange.entry)
    const process = (exchange: Exchange) => processApi(core, exchange)
    try {
      await runExchange(core, { process, faultReply: apiFaultReply }, exchange)
    } finally {
      leave?.()
      if (account !== undefined)
        noteRetryAfter(account, response.statusCode, response.getHeader('retry-after'))
    }
  }

  async function serveStorage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = open(request, response, true)
    exchange.entry.fault = exchange.fault?.kind
    const process = (exchange: Exchange) => processStorage(core, exchange)
    await runExchange(core, { process, faultReply: storageFaultReply }, exchange)
  }

  const api = serverFor(core, serveApi)
  const storage = serverFor(core, serveStorage)
  const origin = await listen(api, settings.port)
  urls.storage = await listen(storage, settings.storagePort)
  urls.api = `${origin}/api/1`
  urls.control = `${origin}/control`

  const fake: FakeVrchat = {
    baseUrl: urls.api,
    storageUrl: urls.storage,
    controlUrl: urls.control,
    ledger: ledger.entries,
    violations: core.violations,
    faults,
    hooks: core.hooks,
    get files() {
      return filesState(core)
    },
    get maxOpenVersions() {
      return core.store.maxOpenVersions()
    },
    openVersions: () =>
      openVersionsOf(core.store.files.values()).map(({ file, version: { version, status } }) => ({
        fileId: file.id,
        version,
        status,
      })),
    bytesOf: async (...name) => bytesOf(core, findBlob(core, ...name)),
    sha256Of: async (...name) => core.store.sha256Of(findBlob(core, ...name)),
    accountStats: (username) => {
      const account = core.accounts.byName.get(username)
      if (account === undefined) throw new Error(`there is no user ${username}`)
      return account.stats
    },
    addUser: (user) => {
      core.accounts.add(user)
    },
    expireSessions: core.accounts.expireSessions,
    forgetSecondFactors: core.accounts.forgetSecondFactors,
    seedFile: (seed = {}) => seedFile(core, seed),
    seedVersion: (fileId, seed = {}) => seedVersion(core, fileId, seed),
    tamper: (fileId, version) => tamper(core, fileId, version),
    totals: () => totals(core),
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      await Promise.all([close(api), close(storage)])
      await disk[Symbol.asyncDispose]()
    },
  }
  return fake
}

function storageTarget(core: Core, method: string, url: URL): Target {
  const grant = core.grants.find(url)
  const operations: Record<string, Target['operation']> = { PUT: 'putPart', GET: 'getObject' }
  return {
    operation: operations[method] ?? 'unknown',
    fileId: grant?.upload.file.id,
    version: grant?.upload.version.version,
    fileType: grant?.upload.blob.fileType,
    partNumber: grant?.partNumber,
  }
}

function serverFor(
  core: Core,
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Server {
  const server = createServer((request, response) => {
    const { socket } = request
    serve(request, response).catch((error: unknown) => {
      // A fault of the fake itself must not pass for one of the client, nor be overlooked.
      core.violations.push(`the fake failed: ${error instanceof Error ? error.stack : String(error)}`)
      socket.destroy()
    })
  })
  // Slow uploads are part of the job, and a server that closes idle sockets makes tests flicker.
  server.requestTimeout = 0
  server.keepAliveTimeout = 120_000
  return server
}

async function listen(server: Server, port: number): Promise<string> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return `http://127.0.0.1:${address.port}`
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
