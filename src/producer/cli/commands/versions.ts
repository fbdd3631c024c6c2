import { ledgerEntry, page, type LedgerEntry } from '../api/answers.ts'
import { chooseAccount } from '../choose-account.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { text, whole } from '../flags.ts'
import { examplesOf } from '../forms.ts'
import { line } from '../io.ts'
import { fileLooks } from '../remote-file.ts'
import { showJson, showTable } from '../show.ts'
import { formatBytes } from '../terminal/format.ts'

export const versions = defineCommand({
  name: 'versions',
  args: ['[DESTINATION]'],
  summary: 'list what arrived at a destination, newest first',
  details: `From the ledger of the service. A destination is a file (${fileLooks}),\nor its name where there are names.`,
  examples: examplesOf('versions'),
  flags: {
    account: text('ID', 'whose; the only account unless given'),
    destination: text('DESTINATION', 'another way to name it'),
    limit: whole('N', 'how many; 50 unless given', { min: 1, max: 500 }),
    ...jsonFlag,
  },
  run: async ({ args: [named], flags }, { io, api }) => {
    const destination = named ?? flags.destination
    if (destination === undefined)
      throw new UsageError(`DESTINATION is missing: a file (${fileLooks}), or its name`)
    const account = await chooseAccount(api, flags.account)
    const query = { account, destination, limit: flags.limit ?? 50 }
    const { items } = await api.ask({ path: '/v1/versions', query }, page(ledgerEntry))
    if (flags.json) showJson(io, items)
    else if (items.length === 0) line(io.err, 'Nothing arrived there yet')
    else showTable(io, columns, items.map(rowOf))
    return exitCodes.done
  },
})

const columns = [
  { title: 'FILE' },
  { title: 'VERSION', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'MD5' },
  { title: 'COMPLETED' },
  { title: 'UPLOAD' },
] as const

const rowOf = ({ remoteId, number, size, md5, completedAt, upload }: LedgerEntry): readonly string[] => [
  remoteId,
  String(number),
  size === undefined ? '' : formatBytes(size),
  md5 ?? '',
  completedAt ?? '',
  upload ?? '',
]
