import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import type { Tickets as NamedTickets, ReadTickets } from '../providers/provider.ts'
import type { Secrets } from '../secrets.ts'
import { Stale } from './changes.ts'
import type { RunScript } from './scripts.ts'
import type { UploadRecord } from './upload.ts'

/** Tickets of one write: a session of 10,000 parts has as many, and one script must not hold Redis up. */
const AT_ONCE = 500

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly run: RunScript
  readonly secrets: Secrets
}

/** The secrets of remote sessions, encrypted, each bound to its account, upload, epoch and name. */
export function createTickets({ redis, keys, run, secrets }: Deps) {
  return {
    /** Keeps them in place of any before. Throws `Stale` when the record moved on. */
    save: async (record: UploadRecord, tickets: NamedTickets): Promise<void> => {
      const named = Object.entries(tickets)
      for (let start = 0; start < named.length || start === 0; start += AT_ONCE) {
        const sealed = named
          .slice(start, start + AT_ONCE)
          .flatMap(([name, ticket]) => [name, secrets.encrypt(ticket, ownerOf(record, name))])
        const instead = start === 0 ? 'instead' : 'too'
        const saved = await run('tickets', record.id, record.epoch, record.rev, instead, ...sealed)
        if (saved !== 1) throw new Stale(`Upload ${record.id} was changed by someone else`)
      }
    },

    /** Reads those of the record's epoch. */
    reader:
      (record: UploadRecord): ReadTickets =>
      async (names) => {
        if (names.length === 0) return []
        const sealed = await redis.hmget(keys.tickets(record.id, record.epoch), ...names)
        return names.map((name, index) => {
          const text = sealed[index] ?? null
          return text === null ? undefined : secrets.decrypt(text, ownerOf(record, name))
        })
      },
  }
}

const ownerOf = ({ account, id, epoch }: UploadRecord, name: string): string =>
  [account, id, epoch, name].join(' ')

export type Tickets = ReturnType<typeof createTickets>
