import type { OpenServer } from './host.ts'
import type { Shelf } from './shelf.ts'
import type { Store } from './store.ts'

/** A store of its server, what it keeps, and how it opens a session. */
export function assemble({
  kind,
  server,
  shelf,
  open,
}: Pick<Store, 'kind' | 'open'> & { server: OpenServer; shelf: Shelf }): Store {
  const { abort, stat, read, remove, unfinished } = shelf
  return {
    kind,
    origin: server.origin,
    open,
    abort,
    stat,
    read,
    remove,
    unfinished,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await shelf[Symbol.asyncDispose]()
    },
  }
}
