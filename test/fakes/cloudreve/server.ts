import type { IncomingMessage, ServerResponse } from 'node:http'
import { countCall, noteRetryAfter } from '../http/calls.ts'
import { serveControl } from '../http/control.ts'
import { runExchange } from '../http/exchange.ts'
import type { Phase } from '../http/ledger.ts'
import { close, listen, serverFor } from '../http/listening.ts'
import { endpoints } from './control.ts'
import { addUser, checkStores, createSite } from './create-site.ts'
import type { FakeCloudreve } from './fake-cloudreve.ts'
import { createCloudreveFaults } from './faults.ts'
import { createHost } from './host.ts'
import { contentsOf, filesState, findEntity, openSessions, placeholdersOf } from './inspection.ts'
import { eventOf } from './ledger.ts'
import { type FakeCloudreveOptions, resolveSettings } from './options.ts'
import { openExchange } from './open-exchange.ts'
import { processSite, siteFaultReply } from './routes.ts'
import { seedFile } from './seeding.ts'
import type { SiteExchange } from './site.ts'
import { createClock, restart, runSentinels } from './time.ts'
import { totalsOf } from './totals.ts'

export type { FakeCloudreve } from './fake-cloudreve.ts'
export { type FaultRule, codeAfter, codeInstead } from './faults.ts'
export type { LedgerEntry, Operation } from './ledger.ts'
export type { FakeCloudreveOptions, PolicySpec } from './options.ts'

/** A Cloudreve V4 site and the stores that its policies need, on ports of 127.0.0.1, checking what it receives. */
export async function startFakeCloudreve(options: FakeCloudreveOptions = {}): Promise<FakeCloudreve> {
  const settings = resolveSettings(options)
  const clock = createClock()
  const faults = createCloudreveFaults()
  const site = await createSite(settings, { faults, now: clock.now })
  const closing = new AbortController()
  await using starting = new AsyncDisposableStack()
  starting.use(site.disk)
  const siteServer = {
    process: (exchange: SiteExchange) => processSite(site, exchange),
    faultReply: siteFaultReply,
    announce: ({ entry }: SiteExchange, phase: Phase) => site.hooks.onRequest?.(eventOf(entry, phase)),
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/control') === true) {
      return serveControl(fake, endpoints, { request, response })
    }
    const exchange = openExchange(site, request, response)
    exchange.fault = faults.pick(exchange.entry)
    const { operation, user: email = '' } = exchange.entry
    const caller = operation === 'callback' ? undefined : site.users.get(email)?.caller
    const rules = { violations: site.violations, maxConcurrentCalls: settings.maxConcurrentCalls }
    if (caller !== undefined) exchange.ends.push(countCall(rules, caller, operation))
    try {
      await runExchange(siteServer, exchange)
    } finally {
      for (const end of exchange.ends) end()
      if (caller !== undefined) noteRetryAfter(caller, response.statusCode, response.getHeader('retry-after'))
    }
  }

  const server = serverFor(site.violations, serve)
  site.origin = await listen(server, settings.port)
  starting.defer(() => close(server))
  const host = createHost({ site, pick: faults.pick, closing: closing.signal })
  for (const store of (await settings.stores?.(host)) ?? []) site.stores.push(starting.use(store))
  checkStores(site)
  starting.defer(() => closing.abort())
  const started = starting.move()

  const fake: FakeCloudreve = {
    baseUrl: site.origin,
    controlUrl: `${site.origin}/control`,
    ledger: site.ledger.entries,
    violations: site.violations,
    faults,
    hooks: site.hooks,
    switches: site.switches,
    stores: site.stores,
    get resentAcknowledged() {
      return site.resentAcknowledged
    },
    files: () => filesState(site),
    contents: async (name, { user, raw = false } = {}) => contentsOf(findEntity(site, name, user), raw),
    placeholders: () => placeholdersOf(site),
    openSessions: () => openSessions(site),
    accountStats: (email) => {
      const user = site.users.get(email)
      if (user === undefined) throw new Error(`there is no user ${email}`)
      return { ...user.stats, calls: user.caller.stats, used: user.used }
    },
    totals: () => totalsOf(site),
    addUser: (user) => addUser(site, user),
    seedFile: (seed) => seedFile(site, seed),
    tamper: (name) => {
      findEntity(site, name).tampered = true
    },
    expireTokens: site.tokens.expireAccess,
    revokeLogins: site.tokens.revokeAll,
    expireSessions: () => passTime(settings.sessionLifetimeMs + 1000),
    passTime,
    restart: ({ sessions = 'kept' } = {}) => restart(site, sessions),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }

  async function passTime(ms: number): Promise<void> {
    clock.pass(ms)
    await runSentinels(site)
  }
  return fake
}
