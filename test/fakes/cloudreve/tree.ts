import { nameOf, parentOf } from './uris.ts'
import type { Content } from './content.ts'
import type { Policy } from './options.ts'

/** One version of a file, or the placeholder of one that is still uploaded. */
export interface Entity {
  /** Hash id. */
  id: string
  /** As announced. */
  size: number
  type: 'version' | 'livePhoto'
  policy: Policy
  createdAt: number
  /** Set while it is a placeholder. */
  sessionId: string | undefined
  content: Content
  encryption: { key: Buffer; iv: Buffer } | undefined
  /** Bytes that count against the quota. */
  charged: number
  /** One byte reads differently from what came. */
  tampered: boolean
}

export interface FileRecord {
  /** Hash id. */
  id: string
  type: 'file' | 'folder'
  /** Empty for the root. */
  path: string
  createdAt: number
  updatedAt: number
  metadata: Map<string, string>
  /** Oldest first. */
  entities: Entity[]
  /** Undefined for folders, and for files that have no content yet. */
  primary: Entity | undefined
}

/** The files of one user, by path. */
export interface Tree {
  get: (path: string) => FileRecord | undefined
  /** The folder of the record's path must exist. */
  put: (record: FileRecord) => void
  remove: (record: FileRecord) => void
  children: (path: string) => FileRecord[]
  /** All below this folder, parents before children. */
  below: (path: string) => FileRecord[]
  all: () => FileRecord[]
}

export function createTree(): Tree {
  const records = new Map<string, FileRecord>()
  const folders = new Map<string, Map<string, FileRecord>>()

  const children = (path: string): FileRecord[] => [...(folders.get(path)?.values() ?? [])]
  const below = (path: string): FileRecord[] =>
    children(path).flatMap((child) => [child, ...below(child.path)])

  return {
    get: (path) => records.get(path),
    put: (record) => {
      records.set(record.path, record)
      if (record.type === 'folder') folders.set(record.path, new Map())
      if (record.path !== '') folders.get(parentOf(record.path))?.set(nameOf(record.path), record)
    },
    remove: (record) => {
      records.delete(record.path)
      folders.delete(record.path)
      folders.get(parentOf(record.path))?.delete(nameOf(record.path))
    },
    children,
    below,
    all: () => [...records.values()],
  }
}
