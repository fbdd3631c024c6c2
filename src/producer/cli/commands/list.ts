import { uploadStates } from '#shared/records/upload.ts'
import { arrived, upload, type Upload } from '../api/answers.ts'
import { collect } from '../api/pages.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { choice, text, whole } from '../flags.ts'
import { line } from '../io.ts'
import { ageOf, showJson, showTable } from '../show.ts'
import { formatBytes, formatPercent } from '../terminal/format.ts'

export const list = defineCommand({
  name: 'list',
  args: [],
  summary: 'list uploads, newest first',
  examples: ['stevedore list --state failed', 'stevedore list --account main --limit 200 --json'],
  flags: {
    state: choice(uploadStates, 'only those in this state'),
    account: text('ID', 'only those of this account'),
    limit: whole('N', 'how many; 50 unless given', { min: 1, max: 1_000_000 }),
    cursor: text('CURSOR', 'go on where an earlier list ended'),
    ...jsonFlag,
  },
  run: async ({ flags }, { io, api }) => {
    const { state, account, cursor, limit = 50 } = flags
    const ask = { path: '/v1/uploads', query: { state, account } }
    const { items, next } = await collect(api, { ask, item: upload }, { cursor, limit })
    if (flags.json) {
      showJson(io, { items, next: next ?? null })
      return exitCodes.done
    }
    if (items.length === 0) {
      line(io.err, 'There are no such uploads')
      return exitCodes.done
    }
    showTable(io, columns, items.map(rowOf))
    if (next !== undefined) line(io.err, `There are more: add --cursor ${next}`)
    return exitCodes.done
  },
})

const columns = [
  { title: 'ID' },
  { title: 'STATE' },
  { title: 'FILE', shrinks: true },
  { title: 'SIZE', align: 'right' },
  { title: 'SENT', align: 'right' },
  { title: 'ACCOUNT' },
  { title: 'AGE', align: 'right' },
] as const

const rowOf = (upload: Upload): readonly string[] => [
  upload.id,
  upload.state,
  upload.fileName ?? upload.source,
  formatBytes(upload.size),
  sentOf(upload),
  upload.account,
  ageOf(upload.createdAt),
]

const sentOf = ({ state, size, bytesSent }: Upload): string => {
  if (arrived(state)) return '100%'
  return size === 0 ? '' : formatPercent(Math.min(0.99, bytesSent / size))
}
