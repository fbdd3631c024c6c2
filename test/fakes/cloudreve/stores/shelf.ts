import { randomBytes } from 'node:crypto'
import { type PartDisk, type StoredPart, createPartDisk } from '../../http/part-disk.ts'
import type { StoreHost } from './host.ts'
import type { Opening, Store } from './store.ts'

/** What one session has brought so far. */
export interface Upload {
  readonly id: string
  readonly opening: Opening
  /** By index, from 0. */
  readonly parts: Map<number, StoredPart>
}

/** What a store keeps: uploads that are not finished, and objects that are. */
export interface Shelf
  extends Pick<Store, 'abort' | 'stat' | 'read' | 'remove' | 'unfinished'>, AsyncDisposable {
  readonly disk: PartDisk
  /** By an id of its own, which nobody can guess, unless one is given. */
  readonly begin: (opening: Opening, id?: string) => Upload
  /** Undefined once it was completed or aborted. */
  readonly find: (id: string | null | undefined) => Upload | undefined
  /** For the ledger, which wants to know it also afterwards. */
  readonly sessionOf: (id: string | null | undefined) => string | undefined
  readonly has: (key: string) => boolean
  /** In place of an earlier one with this index. False when the upload ended meanwhile; the part is gone then. */
  readonly keep: (upload: Upload, index: number, part: StoredPart) => Promise<boolean>
  /** Joins the parts with these indexes; what else came is dropped. */
  readonly complete: (upload: Upload, indexes: readonly number[]) => Promise<void>
}

export async function createShelf({ directory, keepContent }: StoreHost, name: string): Promise<Shelf> {
  const disk = await createPartDisk({ directory, prefix: `fake-store-${name}-`, keepContent })
  const uploads = new Map<string, Upload>()
  const sessions = new Map<string, string>()
  const objects = new Map<string, StoredPart[]>()
  const remove = async (key: string) => {
    const parts = objects.get(key) ?? []
    objects.delete(key)
    await disk.remove(parts)
  }

  return {
    disk,
    begin: (opening, id = randomBytes(16).toString('hex')) => {
      const upload = { id, opening, parts: new Map<number, StoredPart>() }
      uploads.set(id, upload)
      sessions.set(id, opening.sessionId)
      return upload
    },
    find: (id) => uploads.get(id ?? ''),
    sessionOf: (id) => sessions.get(id ?? ''),
    has: (key) => objects.has(key),
    keep: async (upload, index, part) => {
      const open = uploads.has(upload.id)
      const gone = open ? upload.parts.get(index) : part
      if (open) upload.parts.set(index, part)
      if (gone !== undefined) await disk.remove([gone])
      return open
    },
    complete: async ({ id, opening, parts }, indexes) => {
      uploads.delete(id)
      const wanted = indexes.map((index) => wantedPart(parts, index))
      const rest = [...parts].filter(([index]) => !indexes.includes(index)).map(([, part]) => part)
      const replaced = objects.get(opening.key) ?? []
      objects.set(opening.key, wanted)
      await disk.remove([...rest, ...replaced])
    },
    abort: async (sessionId) => {
      const ended = [...uploads.values()].filter(({ opening }) => opening.sessionId === sessionId)
      for (const { id } of ended) uploads.delete(id)
      await disk.remove(ended.flatMap(({ parts }) => [...parts.values()]))
    },
    stat: async (key) => objects.get(key)?.reduce((sum, { size }) => sum + size, 0),
    read: async (key) => {
      const parts = objects.get(key)
      if (parts === undefined) throw new Error(`the ${name} store has no object ${key}`)
      if (!keepContent) throw new Error('the content was not kept: the host said so')
      return Buffer.concat(await disk.read(parts).toArray())
    },
    remove,
    unfinished: () => uploads.size,
    [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose](),
  }
}

function wantedPart(parts: Upload['parts'], index: number): StoredPart {
  const part = parts.get(index)
  if (part === undefined) throw new Error(`part ${index} never came`)
  return part
}
