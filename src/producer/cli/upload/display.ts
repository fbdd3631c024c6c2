import type { Upload } from '../api/answers.ts'
import { formatAge, formatBytes } from '../terminal/format.ts'
import { printable } from '../terminal/text.ts'

/** Shows how uploads go on. */
export interface Display extends Disposable {
  readonly see: (upload: Upload) => void
  /** A line of text that stays. */
  readonly say: (text: string) => void
}

/** What an upload has come to, in one line without its name. */
const outcomeOf = (upload: Upload): string => {
  const { state, error, note, version, size } = upload
  if (state === 'completed')
    return ['completed', versionText(upload), formatBytes(size), timeOf(upload)].filter(Boolean).join(', ')
  if (state === 'skipped') {
    const why = `skipped: ${note ?? 'it is there already'}`
    return [why, version && versionText(upload)].filter(Boolean).join(', ')
  }
  const why = error === undefined ? '' : `: ${error.message} (${error.class})`
  return `${state}${why}${note === undefined ? '' : `; ${note}`}`
}

const versionText = ({ version }: Upload): string =>
  version === undefined ? '' : `version ${version.number} of ${version.remoteId}`

const timeOf = ({ startedAt, endedAt }: Upload): string => {
  const ms = Date.parse(endedAt ?? '') - Date.parse(startedAt ?? '')
  return ms >= 1000 ? formatAge(ms) : ''
}

/** `world.vrcw  completed, version 3 of file_…`. */
export const endLine = (name: string, upload: Upload): string => printable(`${name}  ${outcomeOf(upload)}`)
