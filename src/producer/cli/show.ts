import type { Account, Upload } from './api/answers.ts'
import { line, type Io } from './io.ts'
import { formatAge, formatBytes } from './terminal/format.ts'
import { renderFields, renderTable, type Column } from './terminal/table.ts'

export const showJson = ({ out }: Pick<Io, 'out'>, value: unknown): void =>
  line(out, JSON.stringify(value, null, 2))

/** A table as wide as the terminal; whole where nobody looks. */
export const showTable = (
  { out }: Pick<Io, 'out'>,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void => {
  for (const text of renderTable(columns, rows, out.isTTY === true ? out.columns : undefined)) line(out, text)
}

export const showFields = (
  { out }: Pick<Io, 'out'>,
  fields: readonly (readonly [string, string | undefined])[],
): void => {
  for (const text of renderFields(fields)) line(out, text)
}

export const showUpload = (io: Pick<Io, 'out'>, upload: Upload): void => {
  const { version, error, parts } = upload
  showFields(io, [
    ['id', upload.id],
    ['state', upload.state],
    ['waiting for', upload.waitingFor],
    ['error', error && `${error.message} (${error.class}, ${error.at ?? ''})`],
    ['note', upload.note],
    ['version', version && `${version.number} of ${version.remoteId}`],
    ['version url', version?.url],
    ['version md5', version?.md5],
    ['file', upload.fileName],
    ['source', upload.source],
    ['destination', textOf(upload.destination)],
    ['provider', upload.provider],
    ['account', upload.account],
    ['size', `${formatBytes(upload.size)} (${upload.size} bytes)`],
    [
      'sent',
      `${formatBytes(upload.bytesSent)}${upload.bytesResent > 0 ? `, ${formatBytes(upload.bytesResent)} once more` : ''}`,
    ],
    ['parts', parts.total === 0 ? undefined : `${parts.done} of ${parts.total}`],
    ['epoch', upload.epoch?.toString()],
    ['attempts', upload.attempts?.toString()],
    ['deadline', upload.deadline],
    ['created', upload.createdAt],
    ['started', upload.startedAt],
    ['updated', upload.updatedAt],
    ['ended', upload.endedAt],
  ])
}

/** `name=world.vrcw tags=a,b`. */
export const textOf = (fields: Readonly<Record<string, unknown>>): string =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')

/** `12 s` since that time; empty when it is unknown. */
export const ageOf = (time: string | undefined): string => {
  const ms = Date.now() - Date.parse(time ?? '')
  return Number.isNaN(ms) ? '' : formatAge(Math.max(0, ms))
}

const own: ReadonlySet<string> = new Set(['limits', 'parked', 'challengeMethods', 'stateReason'])

export const showAccount = (io: Pick<Io, 'out'>, account: Account): void => {
  const { stateReason, challengeMethods, limits, parked, ...rest } = account
  showFields(io, [
    // The provider's own settings are among them, whatever they are.
    ...Object.entries(rest)
      .filter(([name, value]) => !own.has(name) && value !== null && value !== undefined)
      .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const),
    ['stateReason', stateReason],
    ['code by', challengeMethods.join(', ')],
    ['limits', textOf(limits)],
    ['parked until', parked && `${parked.until}: ${parked.why}`],
  ])
}
