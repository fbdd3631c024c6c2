import type { IncomingMessage, ServerResponse } from 'node:http'
import { countCall, noteRetryAfter } from '../http/calls.ts'
import { serveControl } from '../http/control.ts'
import { runExchange } from '../http/exchange.ts'
import type { Phase } from '../http/ledger.ts'
import { close, listen, serverFor } from '../http/listening.ts'
import { createPartDisk } from '../http/part-disk.ts'
import { createAccounts } from './accounts.ts'
import { apiFaultReply, apiTarget, processApi } from './api.ts'
import { endpoints } from './control.ts'
import type { Core, Exchange } from './core.ts'
import type { FakeVrchat } from './fake-vrchat.ts'
import { createVrchatFaults } from './faults.ts'
import { createFileStore, openVersionsOf } from './file-store.ts'
import { createGrants } from './grants.ts'
import { bytesOf, filesState, findBlob, totals } from './inspection.ts'
import { type Target, createVrchatLedger } from './ledger.ts'
import { type FakeVrchatOptions, resolveSettings } from './options.ts'
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
  const disk = await createPartDisk({ ...settings, prefix: 'fake-vrchat-' })
  const viewOptions = () => ({ legacy: settings.legacyFiles, apiUrl: urls.api, storageUrl: urls.storage })
  const ledger = createVrchatLedger()
  const faults = createVrchatFaults()
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
      etags: undefined,
      user: storage ? core.grants.find(url)?.upload.file.owner : identity.username,
    })
    return { request, response, socket: request.socket, url, entry, identity, fault: faults.pick(entry) }
  }

  async function announce({ entry }: Exchange, phase: Phase): Promise<void> {
    const { operation, sequence, user, fileId, version, fileType, partNumber } = entry
    await core.hooks.onRequest?.({ operation, phase, sequence, user, fileId, version, fileType, partNumber })
  }

  const apiServer = {
    process: (exchange: Exchange) => processApi(core, exchange),
    faultReply: apiFaultReply,
    announce,
  }
  const storageServer = {
    process: (exchange: Exchange) => processStorage(core, exchange),
    faultReply: storageFaultReply,
    announce,
  }

  async function serveApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/control') === true) {
      return serveControl(fake, endpoints, { request, response })
    }
    const exchange = open(request, response, false)
    const account = core.accounts.byName.get(exchange.entry.user ?? '')
    const { violations } = core
    const rules = { violations, maxConcurrentCalls: settings.maxConcurrentCalls }
    const leave = account && countCall(rules, account.caller, exchange.entry.operation)
    try {
      await runExchange(apiServer, exchange)
    } finally {
      leave?.()
      if (account !== undefined)
        noteRetryAfter(account.caller, response.statusCode, response.getHeader('retry-after'))
    }
  }

  async function serveStorage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = open(request, response, true)
    await runExchange(storageServer, exchange)
  }

  const api = serverFor(core.violations, serveApi)
  const storage = serverFor(core.violations, serveStorage)
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
      return account.caller.stats
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
