import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { StoreHost } from '../../../fakes/cloudreve/stores/host.ts'
import { openStores } from '../../../fakes/cloudreve/stores/index.ts'
import { type Store, type StoreKind, storeKinds } from '../../../fakes/cloudreve/stores/store.ts'
import { KEY, type Stage, send, stage } from './stage.ts'

async function only(host: StoreHost, kind: StoreKind): Promise<Store> {
  const [store] = await openStores(host, [kind], { rangeUnit: 4 })
  if (store === undefined) throw new Error('no store was opened')
  return store
}

function opened(kind: StoreKind): Promise<Stage> {
  return stage((host) => only(host, kind))
}

test('one store of each kind is opened unless told otherwise', async () => {
  const { host } = await opened('s3')

  const stores = await openStores(host)
  const origins = new Set(stores.map(({ origin }) => origin))
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()))

  expect(stores.map(({ kind }) => kind)).toEqual([...storeKinds])
  expect(origins.size).toBe(storeKinds.length)
})

test.each(storeKinds)('%s notes what is for the site only, and never its value', async (kind) => {
  const { host, store } = await opened(kind)
  const headers = { 'x-cr-client-id': 'secret', cookie: 'a=secret', authorization: 'Bearer secret.b.c' }

  await send('PUT', `${store.origin}/elsewhere`, { headers, body: 'x' })

  for (const name of ['x-cr-client-id', 'cookie', 'authorization']) {
    expect(host.violations.filter((text) => text.startsWith(`${kind}.`) && text.includes(name))).not.toEqual(
      [],
    )
  }
  expect(host.violations.join()).not.toContain('secret')
  expect(host.violations.join()).not.toContain('the fake failed')
})

test.each(storeKinds)(
  '%s gives out nothing that it was not brought, and forgets what is aborted',
  async (kind) => {
    const { store, open } = await opened(kind)
    await open(19, 8)
    await open(19, 8, { key: 'other' })

    expect(store.unfinished()).toBe(2)
    await store.abort('session-1')
    await store.abort('session-1')
    await store.abort('no such session')

    expect(store.unfinished()).toBe(1)
    expect(await store.stat(KEY)).toBeUndefined()
    await expect(store.read(KEY)).rejects.toThrow('no object')
    await store.remove(KEY)
  },
)

test.each(storeKinds)('%s answers a status fault in its own words', async (kind) => {
  const { host, store } = await opened(kind)
  host.faults.add({ operation: '*', action: { kind: 'status', status: 503 } })

  const answer = await send('PUT', `${store.origin}/x`)

  expect(answer.status).toBe(503)
  expect(answer.text).toMatch(/^<\?xml|^\{"(code|error|msg)"/)
})

test('bytes are on the disk before the rest of them was sent', async () => {
  const { host, open } = await opened('ks3')
  const half = Buffer.alloc(1024 * 1024, 'a')
  const session = await open(2 * half.length, 0)
  let seen = 0
  const body = (async function* () {
    yield half
    seen = await vi.waitUntil(() => bytesIn(host.directory), { timeout: 20_000 })
    yield half
  })()

  const headers = { 'content-length': String(2 * half.length) }
  const taken = await send('PUT', session.upload_urls[0], { body, headers })

  expect(taken.status).toBe(200)
  expect(seen).toBeGreaterThan(0)
  expect(await bytesIn(host.directory)).toBe(2 * half.length)
})

async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
