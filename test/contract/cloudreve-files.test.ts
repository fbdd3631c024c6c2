import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { AccountParked, FatalError, Missing, Unreachable } from '#shared/errors.ts'
import {
  callback,
  capacity,
  createFile,
  createSession,
  deleteSession,
  info,
  putContent,
  sendChunk,
} from '#shared/providers/cloudreve/site/api.ts'
import { siteCode, SiteRefusal } from '#shared/providers/cloudreve/site/codes.ts'
import { uploadMarker } from '#shared/providers/cloudreve/site/shapes.ts'
import { resolveUri } from '#shared/providers/cloudreve/site/uri.ts'
import type { RemoteFile } from '#shared/providers/provider.ts'
import { codeInstead } from '../fakes/cloudreve/server.ts'
import { ann, openSite, type Site, type SiteOpening } from './cloudreve-site.ts'
import { failureOf, never, shownBy } from './support.ts'

const withSite = async (work: (site: Site) => Promise<void>, opening: SiteOpening = {}): Promise<void> => {
  await using site = await openSite(opening)
  await work(site)
  expect(site.fake.violations).toEqual([])
}

const MINUTE = 60_000
const bytesOf = (text: string): Buffer => Buffer.from(text)
const sliceOf = (text: string) => ({
  length: bytesOf(text).length,
  open: () => Readable.from([bytesOf(text)]),
})
const seed = async ({ fake }: Site, ...paths: readonly string[]): Promise<void> => {
  for (const path of paths) await fake.seedFile({ uri: `cloudreve://my/${path}`, bytes: bytesOf(path) })
}

const names = async ({ provider, account }: Site, query: Parameters<Site['provider']['list']>[1]) =>
  (await provider.list(account, query, never)).map(({ name }) => name)
const numbersOf = (versions: RemoteFile['versions']): string[] =>
  versions.map(({ number }) => String(number)).toSorted()

describe('a site', () => {
  test('says its version, and is asked for it once in ten minutes', () => {
    let passed = 0
    return withSite(
      async (site) => {
        const api = site.apiOf()
        expect([await api.version(), await api.version()]).toEqual(['4.12.0-pro', '4.12.0-pro'])
        expect([site.countOf('ping'), site.countOf('login')]).toEqual([1, 0])
        passed = 11 * MINUTE
        await api.version()
        expect(site.countOf('ping')).toBe(2)
      },
      { fake: { version: '4.12.0', pro: true }, now: () => Date.now() + passed },
    )
  })

  test('is told who asks', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      const agents = site.fake.ledger.map(({ headers }) => headers['user-agent'])
      expect(agents.every((agent) => /^stevedore\/\d+\.\d+\.\d+$/.test(String(agent)))).toBe(true)
    }))

  test.each([
    ['-1', codeInstead(-1)],
    ['a locked database', codeInstead(50_001)],
    ['a page of a proxy', 'html'],
    ['a cut answer', 'cut-answer'],
  ] as const)('in trouble for a moment (%s) is asked again by what only reads', (_, action) =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'info', times: 2, action })
      expect(await info(site.apiOf(), 'cloudreve://my/a')).toBeUndefined()
      expect(site.countOf('info')).toBe(3)
    }),
  )

  test('in lasting trouble is reported as what it is', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'info', action: codeInstead(50_001, 'database is locked') })
      const error = await failureOf(info(site.apiOf(), 'cloudreve://my/a'))
      expect(error).toMatchObject({ name: 'SiteTrouble', code: 50_001 })
      expect(error).not.toBeInstanceOf(FatalError)
      expect(site.countOf('info')).toBe(3)
    }))

  test('in trouble is not asked twice to create anything', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'createSession', action: codeInstead(-1) })
      const creating = createSession(site.apiOf(), { uri: 'cloudreve://my/a', size: 1 })
      expect(siteCode(await failureOf(creating))).toBe(-1)
      expect(site.countOf('createSession')).toBe(1)
    }))

  test('whose page comes with status 200 has said nothing, and the governor hears of it', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'createSession', action: { kind: 'html', status: 200 } })
      const creating = createSession(site.apiOf(), { uri: 'cloudreve://my/a', size: 1 })
      expect(await failureOf(creating)).toBeInstanceOf(Unreachable)
      expect(site.governor.seen.at(-1)).toBeInstanceOf(Unreachable)
    }))

  test('whose success is none of what was asked for is in trouble, and the governor hears of it', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'createSession', action: codeInstead(0, '', { session_id: 1 }) })
      const creating = createSession(site.apiOf(), { uri: 'cloudreve://my/a', size: 1 })
      expect(shownBy(await failureOf(creating))).toContain('not as expected: session_id')
      expect(site.governor.seen.at(-1)).toBeInstanceOf(Unreachable)
    }))

  test('asking for a pause parks the account’s calls; bytes have limits of their own', () =>
    withSite(async (site) => {
      const api = site.apiOf()
      const uri = 'cloudreve://my/a'
      const { session_id: sessionId } = await createSession(api, { uri, size: 1 })
      const headers = { 'retry-after': '30' }
      site.fake.faults.add({ operation: 'capacity', action: { kind: 'status', status: 429, headers } })
      expect(await failureOf(capacity(api))).toBeInstanceOf(AccountParked)
      expect(await failureOf(info(api, uri))).toBeInstanceOf(AccountParked)
      await sendChunk(api, { sessionId, index: 0, body: sliceOf('a') }, MINUTE)
      expect(site.countOf('info')).toBe(0)
    }))
})

describe('a file', () => {
  test.each([
    'a#b c %41+ü.zip',
    'u\u0308 \u00fc 😀 & = ;,$@[]{}^`~!()',
    "it's",
    'é'.repeat(127),
    '.x',
    '%2F',
  ])('called %j arrives under exactly that name, in one request and in chunks', (name) =>
    withSite(async (site) => {
      const api = site.apiOf()
      const [one, two] = [resolveUri('cloudreve://my/', name), resolveUri('cloudreve://my/C# %25 +/', name)]
      await putContent(api, { uri: one, body: sliceOf('bytes') }, MINUTE)
      const session = await createSession(api, { uri: two, size: 5 })
      expect(session.uri).toBe(two)
      await sendChunk(api, { sessionId: session.session_id, index: 0, body: sliceOf('bytes') }, MINUTE)
      for (const uri of [one, two]) {
        expect(await info(api, uri)).toMatchObject({ name, path: uri, size: 5 })
        expect(String(await site.fake.contents(uri))).toBe('bytes')
      }
    }),
  )

  test('that is unfinished has a marker, and goes with its session', () =>
    withSite(async (site) => {
      const api = site.apiOf()
      const uri = 'cloudreve://my/deep/er/a'
      const session = await createSession(api, { uri, size: 1, last_modified: 1_749_524_701_494 })
      expect(session).toMatchObject({
        chunk_size: 26_214_400,
        upload_urls: [],
        storage_policy: { type: 'local' },
      })
      const file = await info(api, uri)
      expect(file && uploadMarker(file)).toBe(session.session_id)
      expect(await deleteSession(api, { id: session.session_id, uri })).toBe(true)
      expect(await info(api, uri)).toBeUndefined()
      expect(await deleteSession(api, { id: session.session_id, uri })).toBe(false)
      expect(site.fake.placeholders()).toEqual([])
    }))

  test('that is there is a conflict for another, and so is a version that is not the newest', () =>
    withSite(async (site) => {
      const api = site.apiOf()
      const uri = 'cloudreve://my/a'
      await seed(site, 'a')
      const again = await failureOf(createSession(api, { uri, size: 1 }))
      expect(again).toMatchObject({ name: 'SiteRefusal', code: 40_004, class: 'conflict' })
      expect(shownBy(again)).toMatch(/PUT \/file\/upload → code 40004: .*correlation id/)
      const version = { uri, size: 1, entity_type: 'version' as const, previous: 'other' }
      expect(await failureOf(createSession(api, version))).toMatchObject({ class: 'conflict' })
    }))

  test('of nothing is made in one call, and made again only if that is asked for', () =>
    withSite(async (site) => {
      const json = { uri: 'cloudreve://my/empty', type: 'file' } as const
      const api = site.apiOf()
      const { id } = await createFile(api, json)
      expect((await createFile(api, json)).id).toBe(id)
      const strict = await failureOf(createFile(api, { ...json, err_on_conflict: true }))
      expect(siteCode(strict)).toBe(40_004)
    }))

  test('in a paid share is reached with the ticket, which is in no error', () =>
    withSite(
      async (site) => {
        const api = site.apiOf(site.accountWith({ purchaseTicket: 'ticket-123' }))
        const uri = 'cloudreve://my/a'
        const { session_id: sessionId } = await createSession(api, { uri, size: 1 })
        await sendChunk(api, { sessionId, index: 0, body: sliceOf('a') }, MINUTE)
        await deleteSession(api, { id: sessionId, uri })
        site.fake.faults.add({ operation: 'createSession', action: codeInstead(403, 'ticket-123') })
        const error = await failureOf(createSession(api, { uri: `${uri}b`, size: 1 }))
        expect(shownBy(error)).not.toContain('ticket-123')
        expect(await failureOf(createSession(site.apiOf(), { uri, size: 1 }))).toBeInstanceOf(SiteRefusal)
      },
      { fake: { purchaseTicket: 'ticket-123' } },
    ))

  test('too large for a proxy says what to change', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'putContent', action: { kind: 'html', status: 413 } })
      const putting = putContent(site.apiOf(), { uri: 'cloudreve://my/a', body: sliceOf('a') }, MINUTE)
      expect(shownBy(await failureOf(putting))).toContain('client_max_body_size')
    }))
})

describe('the site’s other calls', () => {
  test('a callback of a session that is gone says so, without a login', () =>
    withSite(async (site) => {
      const which = { kind: 's3', method: 'GET', sessionId: 'gone', secret: 'callback-secret' } as const
      const error = await failureOf(callback(site.apiOf(), which))
      expect([401, 40_011]).toContain(siteCode(error))
      expect(shownBy(error)).not.toContain('callback-secret')
      expect(site.countOf('login')).toBe(0)
    }))

  test('a callback that could not find the object is tried again', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'callback', action: codeInstead(50_011) })
      const which = { kind: 'onedrive', method: 'POST', sessionId: 's', secret: 'callback-secret' } as const
      expect(siteCode(await failureOf(callback(site.apiOf(), which)))).toBe(50_011)
      expect(site.countOf('callback')).toBe(3)
    }))

  test('the token of a lock that is in the way is in no error', () =>
    withSite(async (site) => {
      const api = site.apiOf()
      const uri = 'cloudreve://my/a'
      await seed(site, 'a')
      await createSession(api, { uri, size: 1, entity_type: 'version' })
      const refusal = await failureOf(createSession(api, { uri, size: 1, entity_type: 'version' }))
      if (!(refusal instanceof SiteRefusal)) throw refusal
      expect(refusal.code).toBe(40_073)
      expect(refusal.data).toMatchObject([{ token: expect.any(String) }])
      const [token = ''] = JSON.stringify(refusal.data).match(/(?<="token":")[^"]+/) ?? []
      expect(shownBy(refusal)).not.toContain(token)
    }))

  test('the quota is told in bytes', () =>
    withSite(
      async (site) => {
        await seed(site, 'four')
        expect(await capacity(site.apiOf())).toEqual({ total: 1000, used: 4 })
        const large = await failureOf(createSession(site.apiOf(), { uri: 'cloudreve://my/b', size: 1000 }))
        expect(large).toMatchObject({ code: 40_051 })
        expect(shownBy(large)).toContain('there is no space left in the quota')
        expect(shownBy(large)).toContain('4 of 1000 bytes are used')
        const body = sliceOf('a'.repeat(997))
        const putting = putContent(site.apiOf(), { uri: 'cloudreve://my/b', body }, MINUTE)
        expect(shownBy(await failureOf(putting))).toContain('4 of 1000 bytes are used')
      },
      { fake: { users: [{ ...ann, quota: 1000 }] } },
    ))
})

describe('the account’s files', () => {
  test.each(['page', 'cursor'] as const)('are listed over every %s, from anywhere', (paging) =>
    withSite(
      async (site) => {
        const all = ['f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7']
        await seed(site, ...all)
        expect(await names(site, {})).toEqual(all)
        expect(await names(site, { n: 4 })).toEqual(all.slice(0, 4))
        expect(await names(site, { n: 3, offset: 3 })).toEqual(all.slice(3, 6))
        expect(await names(site, { n: 2, offset: 1 })).toEqual(all.slice(1, 3))
        expect(await names(site, { offset: 6 })).toEqual(['f7'])
        expect(await names(site, { offset: 7 })).toEqual([])
        expect(await names(site, { offset: 100 })).toEqual([])
        await seed(site, 'f8')
        expect(await names(site, {})).toEqual([...all, 'f8'])
      },
      { fake: { paging, maxPageSize: 2 } },
    ),
  )

  test('far down a folder are found without asking for all before them', () =>
    withSite(
      async (site) => {
        await seed(site, ...Array.from({ length: 9 }, (_, at) => `f${String(at)}`))
        expect(await names(site, { offset: 8 })).toEqual(['f8'])
        expect(site.countOf('list')).toBe(2)
      },
      { fake: { paging: 'page', maxPageSize: 2 } },
    ))

  test('are listed by folder, with folders and unfinished uploads told apart', () =>
    withSite(async (site) => {
      const { provider, account } = site
      await seed(site, 'a', 'dir/b%231')
      const { session_id: sessionId } = await createSession(site.apiOf(), {
        uri: 'cloudreve://my/c',
        size: 9,
      })
      const listed = await provider.list(account, {}, never)
      expect(listed.toSorted((a, b) => a.name.localeCompare(b.name))).toMatchObject([
        { id: 'cloudreve://my/a', versions: [{ status: 'current', size: 1 }] },
        { id: 'cloudreve://my/c', versions: [{ number: sessionId, status: 'uploading' }] },
        { id: 'cloudreve://my/dir', name: 'dir/', versions: [] },
      ])
      const inside = await provider.list(account, { folder: 'cloudreve://my/dir/' }, never)
      expect(inside).toMatchObject([{ id: 'cloudreve://my/dir/b%231', name: 'b#1' }])
      expect(await failureOf(names(site, { folder: 'cloudreve://my/none' }))).toBeInstanceOf(Missing)
      expect(await failureOf(names(site, { folder: 'dir' }))).toMatchObject({ class: 'bad-request' })
    }))

  test('are shown with their versions, newest first, and downloaded version by version', () =>
    withSite(async (site) => {
      const { fake, provider, account } = site
      const uri = 'cloudreve://my/a%20%23'
      const entities: string[] = []
      for (const text of ['one', 'second', 'the third']) {
        entities.unshift(await fake.seedFile({ uri, bytes: bytesOf(text) }))
      }
      const shown = await provider.show(account, 'cloudreve://my/a #', never)
      expect(shown).toMatchObject({ id: uri, name: 'a #' })
      expect(numbersOf(shown.versions)).toEqual(entities.toSorted())
      expect(shown.versions.filter(({ status }) => status === 'current')).toMatchObject([
        { number: entities[0], size: 9 },
      ])
      for (const { number, size } of shown.versions) {
        const download = await provider.download(account, { remoteId: uri, version: number }, never)
        expect(download).toMatchObject({ size, fileName: 'a #' })
        expect(await buffer(download.body)).toEqual(await fake.contents(String(number)))
      }
      const downloads = fake.ledger.filter(({ operation }) => operation === 'download')
      expect(downloads).toHaveLength(3)
      expect(downloads.every(({ headers }) => headers['authorization'] === undefined)).toBe(true)
    }))

  test('are not there, or have no such version: both are told apart from a refusal', () =>
    withSite(async (site) => {
      const { provider, account } = site
      await seed(site, 'a')
      const version = 'none'
      const absent = { remoteId: 'cloudreve://my/b', version }
      expect(await failureOf(provider.show(account, absent.remoteId, never))).toBeInstanceOf(Missing)
      expect(await failureOf(provider.download(account, absent, never))).toBeInstanceOf(Missing)
      expect(await failureOf(provider.remove(account, absent, never))).toBeInstanceOf(Missing)
      const other = { remoteId: 'cloudreve://my/a', version }
      expect(await failureOf(provider.download(account, other, never))).toBeInstanceOf(Missing)
    }))

  test('are not taken for a refusal that comes instead of them', () =>
    withSite(async (site) => {
      const { fake, provider, account } = site
      const version = await fake.seedFile({ uri: 'cloudreve://my/a', bytes: bytesOf('the content') })
      fake.faults.add({ operation: 'download', action: codeInstead(40_005, 'expired') })
      const download = provider.download(account, { remoteId: 'cloudreve://my/a', version }, never)
      expect(await failureOf(download)).toMatchObject({ name: 'SiteTrouble' })
    }))

  test('are not followed through redirects for ever', () =>
    withSite(async (site) => {
      const { fake, provider, account } = site
      const version = await fake.seedFile({ uri: 'cloudreve://my/a', bytes: bytesOf('x') })
      const headers = { location: '?again' }
      fake.faults.add({ operation: 'download', action: { kind: 'status', status: 302, headers, body: '' } })
      const download = provider.download(account, { remoteId: 'cloudreve://my/a', version }, never)
      expect(await failureOf(download)).toBeInstanceOf(Unreachable)
      expect(site.countOf('download')).toBe(6)
    }))

  test('lose a version, or the current one to the one before; the only one goes with the file', () =>
    withSite(async (site) => {
      const { fake, provider, account } = site
      const remoteId = 'cloudreve://my/a'
      const [first, second, third] = [
        await fake.seedFile({ uri: remoteId, bytes: bytesOf('1') }),
        await fake.seedFile({ uri: remoteId, bytes: bytesOf('22') }),
        await fake.seedFile({ uri: remoteId, bytes: bytesOf('333') }),
      ]
      const remove = (version?: string) =>
        provider.remove(account, { remoteId, ...(version !== undefined && { version }) }, never)
      const versions = async () => (await provider.show(account, remoteId, never)).versions
      await remove(first)
      expect(numbersOf(await versions())).toEqual([second, third].toSorted())
      await remove(third)
      expect(await versions()).toMatchObject([{ number: second, status: 'current', size: 2 }])
      expect(await failureOf(remove(second))).toMatchObject({ class: 'refused' })
      expect(await failureOf(remove(first))).toBeInstanceOf(Missing)
      await remove()
      expect(await failureOf(versions())).toBeInstanceOf(Missing)
    }))

  test('that are unfinished uploads, or folders, are not removed blindly', () =>
    withSite(async (site) => {
      const { fake, provider, account } = site
      await seed(site, 'dir/a')
      const remoteId = 'cloudreve://my/c'
      const { session_id: version } = await createSession(site.apiOf(), { uri: remoteId, size: 9 })
      const told = await failureOf(provider.remove(account, { remoteId }, never))
      expect(shownBy(told)).toContain('there is an unfinished upload at cloudreve://my/c: cancel it')
      expect(await failureOf(provider.remove(account, { remoteId, version }, never))).toBeInstanceOf(
        FatalError,
      )
      const download = provider.download(account, { remoteId, version }, never)
      expect(shownBy(await failureOf(download))).toContain('unfinished upload')
      const folder = provider.remove(account, { remoteId: 'cloudreve://my/dir' }, never)
      expect(shownBy(await failureOf(folder))).toContain('is a folder')
      expect(site.countOf('deleteFile')).toBe(0)
      expect(fake.placeholders()).toHaveLength(1)
    }))
})
