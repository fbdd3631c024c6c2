import { page, remoteFile, type RemoteFile } from '../api/answers.ts'
import { at } from '../api/client.ts'
import { chooseAccount } from '../choose-account.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { text, whole } from '../flags.ts'
import { line } from '../io.ts'
import { showJson, showTable } from '../show.ts'
import { formatBytes } from '../terminal/format.ts'

export const files = defineCommand({
  name: 'files',
  args: [],
  summary: 'list the files that an account has at its provider',
  examples: ['stevedore files --account main', 'stevedore files --account main --tag avatar --offset 100'],
  flags: {
    account: text('ID', 'whose files; the only account unless given'),
    tag: text('TAG', 'only those with this tag'),
    limit: whole('N', 'how many; 60 unless given', { min: 1, max: 100 }),
    offset: whole('N', 'leave out that many', { min: 0, max: 1_000_000 }),
    ...jsonFlag,
  },
  run: async ({ flags }, { io, api }) => {
    const id = await chooseAccount(api, flags.account)
    const { tag, limit: n = 60, offset } = flags
    const { items } = await api.ask(
      { path: at`/v1/accounts/${id}/files`, query: { tag, n, offset } },
      page(remoteFile),
    )
    if (flags.json) showJson(io, items)
    else if (items.length === 0) line(io.err, 'There are no such files')
    else showTable(io, columns, items.map(rowOf))
    if (!flags.json && items.length === n)
      line(io.err, `There may be more: add --offset ${(offset ?? 0) + n}`)
    return exitCodes.done
  },
})

const columns = [
  { title: 'FILE_ID' },
  { title: 'NAME', shrinks: true },
  { title: 'VERSION', align: 'right' },
  { title: 'STATUS' },
  { title: 'SIZE', align: 'right' },
  { title: 'CREATED' },
] as const

/** A file with the newest of its versions. */
const rowOf = ({ id, name, versions }: RemoteFile): readonly string[] => {
  const newest = versions.toSorted((a, b) => b.number - a.number)[0]
  if (newest === undefined) return [id, name, '', '', '', '']
  const { number, status, size, createdAt = '' } = newest
  return [id, name, String(number), status, size === undefined ? '' : formatBytes(size), createdAt]
}
