import { forms } from '#shared/providers/forms.ts'
import { UsageError } from './errors.ts'

/** How providers name their files, for the help. */
export const fileLooks = forms.map(({ provider, remote }) => `${remote.looks} at ${provider}`).join(', ')

/**
 * A version as its provider calls it, which is told by how the file is named. Throws `UsageError` for what that
 * provider calls no version.
 */
export const readVersion = (file: string, written: string): number | string => {
  const form = forms.find(({ remote }) => remote.isFile(file))
  if (form === undefined) return written
  const read = form.remote.readVersion(written)
  if ('version' in read) return read.version
  throw new UsageError(`VERSION ${read.must}, not ${JSON.stringify(written)}`)
}
