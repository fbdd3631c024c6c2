import { posix } from 'node:path'
import { badParameter } from './envelope.ts'

export interface FileUri {
  /** Whose file system, when it is not the caller's own. */
  fileSystemId: string | undefined
  fileSystem: string
  /** Decoded and clean; empty for the root, else beginning with a slash. */
  path: string
  query: URLSearchParams
  /** What the client should have escaped, in words. */
  careless: string | undefined
}

const SHAPE =
  /^cloudreve:\/\/(?:(?<id>[^@/?#]*)@)?(?<host>my|share|trash|shared_with_me)(?<path>\/[^?#]*)?(?<rest>[?#].*)?$/s
const ESCAPED = /^(?:[A-Za-z0-9\-_.~!*'()/]|%[0-9A-Fa-f]{2})*$/

/** Throws 40001 for what is no file URI. */
export function parseUri(text: string): FileUri {
  const { id, host = '', path = '', rest = '' } = SHAPE.exec(text)?.groups ?? {}
  if (host === '') throw badParameter(`invalid uri ${text}`)
  return {
    fileSystemId: id === undefined || id === '' ? undefined : id.split(':')[0],
    fileSystem: host,
    path: cleanPath(path, text),
    query: new URLSearchParams(rest.startsWith('?') ? rest.slice(1) : ''),
    careless: carelessness(path, rest),
  }
}

/** An escaped slash separates as well: it can not be part of a name. */
function cleanPath(path: string, text: string): string {
  try {
    return posix.normalize(`/${decodeURIComponent(path)}`).replace(/\/+$/, '')
  } catch {
    throw badParameter(`invalid uri ${text}`)
  }
}

function carelessness(path: string, rest: string): string | undefined {
  if (!ESCAPED.test(path)) return 'its path is not escaped'
  if (rest.startsWith('#')) return 'it has a fragment'
  if (rest !== '' && !/^\?[a-z_]+(?::|%3A|=)/i.test(rest)) return 'it has a query that searches for nothing'
  return undefined
}

/** The URI as the server itself writes it. */
export function uriOf(path: string): string {
  return `cloudreve://my${path.split('/').map(encodeURIComponent).join('/')}`
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}

/** What is wrong with this name of a file or folder. */
export function nameProblem(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'the name is empty or only dots'
  if (Buffer.byteLength(name) > 255) return 'the name is longer than 255 bytes'
  return /[\\/:*?"<>|]/.test(name) ? 'the name has a character that is not allowed' : undefined
}
