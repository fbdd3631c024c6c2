import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Keys } from '../keys.ts'
import type { Destination } from '../providers/provider.ts'
import type { Idempotency } from './commands.ts'
import { readEach } from './read-each.ts'
import type { Unreadable } from './read-each.ts'
import type { UploadRecord } from './upload.ts'

const binding = z.object({ key: z.string() })

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
}

/** What is known about uploads and destinations beside the records themselves. */
export const createOverview = (deps: Deps) => ({ ...createLists(deps), ...createPlaces(deps) })

export type Overview = ReturnType<typeof createOverview>

/** Reading uploads for people: nothing is left out, and every list is one round trip. */
function createLists({ redis, keys }: Deps) {
  return {
    /** In the order asked for; only those that do not exist are left out. */
    readEach: async (ids: readonly string[]): Promise<(UploadRecord | Unreadable)[]> =>
      readEach({ redis, keys }, ids),

    /** What an earlier request with this key made, if it is still remembered. */
    acceptedBefore: async ({
      key,
      bodyHash,
    }: Idempotency): Promise<{ readonly kind: 'repeated' | 'conflict'; readonly id: string } | undefined> => {
      const [hash, id] = (await redis.get(keys.idempotency(key)))?.split(' ') ?? []
      // A key lives no longer than what it stands for.
      if (id === undefined || (await redis.exists(keys.upload(id))) === 0) return undefined
      return { kind: hash === bodyHash ? 'repeated' : 'conflict', id }
    },

    /** The MD5s of an upload's parts by `<content>/<number>`, as far as they are known. */
    digests: async (id: string): Promise<Readonly<Record<string, string>>> => redis.hgetall(keys.digests(id)),
  }
}

/** Destinations: whose they are, and what their names mean. */
function createPlaces({ redis, keys }: Deps) {
  return {
    /** Whose turn it is at each destination: who owns it, or will be the next to. */
    firstInLine: async (destinations: readonly string[]): Promise<ReadonlyMap<string, string>> => {
      const pipeline = redis.pipeline()
      for (const key of destinations) {
        pipeline.get(keys.destination(key)).lindex(keys.destinationQueue(key), 0)
      }
      const answers = (await pipeline.exec()) ?? []
      const value = (index: number): string | null => {
        const [error, answer] = answers[index] ?? [null, null]
        if (error !== null) throw error
        return z.string().nullable().parse(answer)
      }
      return new Map(
        destinations.flatMap((key, index) => {
          const first = value(index * 2) ?? value(index * 2 + 1)
          return first === null ? [] : [[key, first] as const]
        }),
      )
    },

    /** Key of the place that a destination means by now: what its name is bound to, else its own. */
    placeOf: async ({ key, binding: name, fresh }: Destination): Promise<string> => {
      const bound = name === undefined || fresh === true ? null : await redis.get(keys.binding(name))
      return bound === null ? key : binding.parse(JSON.parse(bound)).key
    },

    /**
     * Takes a destination for something other than an upload, for at most `ms`; answers its owner when it is
     * taken. Waiting uploads stay in line meanwhile.
     */
    hold: async (destination: string, holder: string, ms: number): Promise<string | undefined> => {
      const key = keys.destination(destination)
      const held = await redis.set(key, holder, 'PX', ms, 'NX')
      return held === null ? ((await redis.get(key)) ?? 'another request') : undefined
    },

    release: async (destination: string, holder: string): Promise<void> => {
      const key = keys.destination(destination)
      // Nobody takes it from a holder, and its time is longer than the work it is held for.
      if ((await redis.get(key)) === holder) await redis.del(key)
    },
  }
}
