import { FatalError } from '#shared/errors.ts'

/** A Cloudreve place, taken apart. Names are as people read them, nothing escaped. */
interface Place {
  /** `cloudreve://my`, or with the id of a user or share before the `@`. */
  readonly root: string
  readonly names: readonly string[]
  /** Written with a `/` at its end: the names are those of a folder. */
  readonly isFolder: boolean
}

const MOST_NAME_BYTES = 255
const MOST_LENGTH = 16_384

const FORBIDDEN = /[\\/:*?"<>|]/
// eslint-disable-next-line no-control-regex -- control characters are what this finds
const CONTROL = /[\u0000-\u001f\u007f]/

const HOW =
  'write it like cloudreve://my/folder/name; every % begins an escape, so a percent sign is written %25'

/**
 * Why no file or folder may have this name, or undefined when it may. Cloudreve counts bytes, keeps both Unicode
 * forms apart, and takes none of `\ / : * ? " < > |`: be:pkg/filemanager/fs/dbfs/validator.go@0bb0ab83
 */
export const checkName = (name: string): string | undefined => {
  if (name === '') return 'an empty name'
  if (name === '.' || name === '..') return `${name}, which is no name of a file or folder`
  if (!name.isWellFormed()) return 'a name with half a surrogate pair in it, which is no Unicode text'
  if (CONTROL.test(name)) return `the name ${JSON.stringify(name)} with a control character`
  const found = FORBIDDEN.exec(name)?.[0]
  if (found !== undefined)
    return `the name ${JSON.stringify(name)}, and Cloudreve allows no ${found} in names`
  const bytes = Buffer.byteLength(name)
  if (bytes <= MOST_NAME_BYTES) return undefined
  return `a name of ${String(bytes)} bytes, and Cloudreve allows ${String(MOST_NAME_BYTES)}: ${name.slice(0, 40)}…`
}

class BadUri extends Error {
  override name = 'BadUri'
}

/**
 * Takes a URI apart as people write it. A URI that is properly escaped means what it says; beside that spaces, `#`,
 * `+` and everything beyond ASCII may be written as they are, as nothing else can be meant by them. `%` always
 * begins an escape: a percent sign itself is `%25`. There is no query, and no name has a `?`.
 */
const parse = (given: string): Place => {
  if (given.length > MOST_LENGTH) throw new BadUri(`is longer than ${String(MOST_LENGTH)} characters`)
  const found = /^cloudreve:\/\/(?:([^/@]*)@)?([^/@]*)(?:\/(.*))?$/is.exec(given)
  if (found === null) throw new BadUri(`must begin with cloudreve://my/; ${HOW}`)
  const [, id, host = '', path = ''] = found
  const isFolder = path === '' || path.endsWith('/')
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path
  return { root: rootOf(host.toLowerCase(), id), names: path === '' ? [] : namesOf(trimmed), isFolder }
}

const rootOf = (host: string, id: string | undefined): string => {
  if (id?.includes(':') === true) {
    throw new BadUri('must hold no password: it would be kept and shown with every upload')
  }
  if (id !== undefined && !/^[A-Za-z0-9]+$/.test(id)) {
    throw new BadUri('has an id before the @ that is none: it is made of letters and digits')
  }
  if (host === 'share' && id === undefined) {
    throw new BadUri("needs the share's id, as in cloudreve://abc123@share/folder/")
  }
  if (!['my', 'share'].includes(host)) {
    throw new BadUri('must be in cloudreve://my/ or in a share: nothing can be uploaded anywhere else')
  }
  return `cloudreve://${id === undefined ? '' : `${id}@`}${host}`
}

const namesOf = (path: string): readonly string[] =>
  path.split('/').map((segment) => {
    const name = unescaped(segment)
    const problem = checkName(name)
    if (problem !== undefined) throw new BadUri(`has ${problem}`)
    return name
  })

const unescaped = (segment: string): string => {
  const wrong = /%(?![0-9a-f]{2})/i.exec(segment)
  if (wrong !== null) throw new BadUri(`has a % that begins no escape; ${HOW}`)
  if (/%2f/i.test(segment)) {
    throw new BadUri('has %2F in it, and Cloudreve allows no / in names: write a / to begin the next folder')
  }
  try {
    // Half a surrogate pair is for checkName, and decoding leaves it alone.
    return decodeURIComponent(segment)
  } catch {
    throw new BadUri(`has escapes that are no UTF-8; ${HOW}`)
  }
}

const written = ({ root, names }: Pick<Place, 'root' | 'names'>): string =>
  [root, ...names.map((name) => encodeURIComponent(name))].join('/')

const read = (given: string, field: string): Place => {
  try {
    return parse(given)
  } catch (error) {
    if (error instanceof BadUri) throw new FatalError('bad-request', `${field} ${error.message}`)
    throw error
  }
}

/** What is wrong with a destination's URI, or undefined when nothing is. */
export const acceptedUri = (given: string): string | undefined => {
  try {
    parse(given)
    return undefined
  } catch (error) {
    if (error instanceof BadUri) return error.message
    throw error
  }
}

/**
 * The URI that an upload goes to, normalised: each name escaped as `encodeURIComponent` does, as it is in all that
 * the site answers. One that ends in `/` takes `fileName`, character for character. Throws a FatalError that names
 * `destination.uri`. be:pkg/filemanager/fs/uri.go@0bb0ab83
 */
export const resolveUri = (given: string, fileName: string): string => {
  const place = read(given, 'destination.uri')
  if (!place.isFolder) return written(place)
  const problem = checkName(fileName)
  if (problem === undefined) return written({ ...place, names: [...place.names, fileName] })
  throw new FatalError(
    'bad-request',
    `destination.uri ends in / and so takes the file's own name, but that is ${problem}; give the file another ` +
      'name there by writing it at the end of destination.uri',
  )
}

/** A file's or folder's URI, normalised; `field` is what messages call it. */
export const normaliseUri = (given: string, field: string): string => written(read(given, field))

/** The folder that it is in; a root is in itself. */
export const parentOf = (uri: string): string => {
  const { root, names } = read(uri, 'the URI')
  return written({ root, names: names.slice(0, -1) })
}

/** The last name, as people read it; empty for a root. */
export const nameOf = (uri: string): string => read(uri, 'the URI').names.at(-1) ?? ''

/** The place of that name in the same folder. Throws a FatalError when nothing can be called so. */
export const withName = (uri: string, name: string): string => {
  const problem = checkName(name)
  if (problem !== undefined) throw new FatalError('bad-request', `destination.uri would have ${problem}`)
  const { root, names } = read(uri, 'the URI')
  return written({ root, names: [...names.slice(0, -1), name] })
}

/** What is called so in a folder, whatever its name: it is there already. */
export const childOf = (folder: string, name: string): string => `${folder}/${encodeURIComponent(name)}`
