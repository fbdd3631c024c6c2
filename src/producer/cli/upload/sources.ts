import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../errors.ts'

/** A file to upload, as it was named and as the service is told. */
export interface Source {
  readonly file: string
  readonly url: string
  readonly name: string
}

/**
 * Names on the command line as URLs: paths are of this machine; a `file:` or `https:` URL is left as it is, for
 * a service that sees other folders.
 */
export const toSource = (file: string, workingDirectory: string): Source => {
  if (/^(?:file|https?):\/\//i.test(file)) return { file, url: file, name: nameOfUrl(file) }
  const path = resolve(workingDirectory, file)
  return { file, url: pathToFileURL(path).href, name: basename(path) }
}

const nameOfUrl = (url: string): string => {
  const name = URL.parse(url)?.pathname.split('/').at(-1) ?? ''
  try {
    return decodeURIComponent(name)
  } catch {
    throw new UsageError(`${url} has a % that is not followed by two digits: write it as %25`)
  }
}
