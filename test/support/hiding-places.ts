import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { z } from 'zod'
import type { Place } from './canaries.ts'
import type { Site } from './site.ts'

const saved = z.object({ port: z.number(), password: z.string() })

/** The connection of somebody who reads redis.json. */
export async function openRedis({ dataDir }: Site): Promise<Redis> {
  const { port, password } = saved.parse(JSON.parse(await readFile(join(dataDir, 'redis.json'), 'utf8')))
  return new Redis({ host: '127.0.0.1', port, password })
}

/** Every value of every key of the pattern, whatever its type; one that expires meanwhile hides nothing. */
export async function allKeys(redis: Redis, pattern = '*'): Promise<Place[]> {
  const places: Place[] = []
  for (const key of await redis.keys(pattern)) {
    const content = JSON.stringify(await valueOf(redis, key))
    places.push({ name: `the key ${key}`, content: `${key} ${content}` })
  }
  return places
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key)
  switch (type) {
    case 'string':
      return redis.get(key)
    case 'hash':
      return redis.hgetall(key)
    case 'list':
      return redis.lrange(key, 0, -1)
    case 'set':
      return redis.smembers(key)
    case 'zset':
      return redis.zrange(key, '0', '-1', 'WITHSCORES')
    case 'stream':
      return redis.xrange(key, '-', '+')
    case 'none':
      return null
    default:
      throw new Error(`${key} is a ${type}, which nobody looks into`)
  }
}

/** Every file of the data directory, Redis's own included. */
export async function allFiles({ dataDir }: Site): Promise<Place[]> {
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  return Promise.all(
    files.map(async (path) => ({
      name: `the file ${relative(dataDir, path)}`,
      content: await readFile(path),
    })),
  )
}

/** The arguments of all processes, which everybody on the machine may read. */
export async function allArguments(): Promise<Place[]> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-eo', 'args='], { maxBuffer: 64 * 1024 * 1024 })
  return [{ name: 'the arguments of a process', content: stdout }]
}

const queue = z.object({
  name: z.string(),
  statuses: z.array(z.string()).min(1),
  jobs: z.array(z.looseObject({ id: z.string() })),
})
const board = z.object({ queues: z.array(queue) })

/** Whatever the dashboard shows of the queues and of all of their jobs. */
export async function dashboardPages(site: Site): Promise<Place[]> {
  const pages = await get(site, [
    '/dashboard/api/queues',
    '/dashboard/api/redis/stats',
    '/dashboard/api/job-schedulers',
  ])
  const { queues } = board.parse(JSON.parse(String(pages[0]?.content)))
  for (const { name, statuses } of queues) {
    const own = ['metrics', 'workers', 'default-job-options', 'rate-limit', 'job-data-schema']
    pages.push(
      ...(await get(
        site,
        own.map((page) => `/dashboard/api/queues/${name}/${page}`),
      )),
    )
    for (const status of ['latest', ...statuses]) {
      const query = `activeQueue=${name}&status=${status}&page=1&jobsPerPage=100`
      const [list] = await get(site, [`/dashboard/api/queues?${query}`])
      if (list !== undefined) pages.push(list)
      const shown = board.parse(JSON.parse(String(list?.content))).queues.flatMap(({ jobs }) => jobs)
      for (const { id } of status === 'latest' ? [] : shown) {
        const job = `/dashboard/api/queues/${name}/${id}`
        pages.push(...(await get(site, [job, `${job}/logs`, `${job}/flow`])))
      }
    }
  }
  return pages
}

/** All that the API says about what there is. */
export async function apiAnswers(site: Site): Promise<Place[]> {
  const idsOf = async (path: string): Promise<string[]> =>
    ids.parse((await site.ask('GET', path)).json).items.map(({ id }) => id)
  const uploads = await idsOf('/v1/uploads?limit=100')
  const accounts = await idsOf('/v1/accounts')
  return get(site, [
    '/v1/uploads?limit=100',
    ...uploads.flatMap((id) => [`/v1/uploads/${id}`, `/v1/uploads/${id}/parts`]),
    '/v1/accounts',
    ...accounts.map((id) => `/v1/accounts/${id}`),
    '/healthz',
    '/readyz',
    '/openapi.json',
  ])
}

const ids = z.object({ items: z.array(z.object({ id: z.string() })) })

async function get(site: Site, paths: readonly string[]): Promise<Place[]> {
  return Promise.all(
    paths.map(async (path) => {
      const { status, text } = await site.ask('GET', path)
      // A page that is never there would hide whatever it shows.
      if (status >= 500) throw new Error(`GET ${path} → ${status} ${text}`)
      return { name: `GET ${path}`, content: text }
    }),
  )
}
