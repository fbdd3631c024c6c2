import { forms } from '#shared/providers/forms.ts'
import { account, page, remoteFile, type RemoteFile } from '../api/answers.ts'
import { at, type Api } from '../api/client.ts'
import { chooseAccount } from '../choose-account.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { text, whole } from '../flags.ts'
import { examplesOf, flagsOf, formOf, refuseForeignFlags, type OptionsOf } from '../forms.ts'
import { line } from '../io.ts'
import { showJson, showTable } from '../show.ts'
import { formatBytes } from '../terminal/format.ts'

const listOptions: OptionsOf = ({ remote }) => remote.list

const foldersOf = forms.flatMap(({ provider, remote: { folder } }) =>
  folder === undefined ? [] : [{ provider, folder }],
)

export const files = defineCommand({
  name: 'files',
  args: ['[FOLDER]'],
  summary: 'list the files that an account has at its provider',
  details: `FOLDER: ${foldersOf.map(({ provider, folder }) => `at ${provider}, ${folder}`).join('; ')}.`,
  examples: ['stevedore files --account main', ...examplesOf('files')],
  flags: {
    ...flagsOf(listOptions),
    account: text('ID', 'whose files; the only account unless given'),
    limit: whole('N', 'how many; 60 unless given', { min: 1, max: 100 }),
    offset: whole('N', 'leave out that many', { min: 0, max: 1_000_000 }),
    ...jsonFlag,
  },
  run: async ({ args: [folder], flags }, { io, api }) => {
    const id = await chooseAccount(api, flags.account)
    const { limit: n = 60, offset } = flags
    const narrowed = Object.entries(flags).filter(([name, value]) => name in own && value !== undefined)
    const query = { folder, ...Object.fromEntries(narrowed.map(([name, value]) => [name, String(value)])) }
    if (folder !== undefined || narrowed.length > 0) await checkQuery(api, { id, folder, given: flags })
    const { items } = await api.ask(
      { path: at`/v1/accounts/${id}/files`, query: { ...query, n, offset } },
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

const own = flagsOf(listOptions)

interface Query {
  readonly id: string
  readonly folder: string | undefined
  readonly given: Readonly<Record<string, unknown>>
}

/** Says what another provider has and this one has not. */
const checkQuery = async (api: Api, { id, folder, given }: Query): Promise<void> => {
  const { provider } = await api.ask({ path: at`/v1/accounts/${id}` }, account)
  const form = formOf(provider)
  refuseForeignFlags(given, form, listOptions)
  if (folder === undefined || form.remote.folder !== undefined) return
  const others = foldersOf.map(({ provider }) => provider).join(', ')
  throw new UsageError(`FOLDER is for ${others}: ${provider}, where account ${id} is, has no folders`)
}

const columns = [
  { title: 'FILE' },
  { title: 'NAME', shrinks: true },
  { title: 'VERSION', align: 'right' },
  { title: 'STATUS' },
  { title: 'SIZE', align: 'right' },
  { title: 'CREATED' },
] as const

/** A file with the newest of its versions, which comes first. */
const rowOf = ({ id, name, versions: [newest] }: RemoteFile): readonly string[] => {
  if (newest === undefined) return [id, name, '', '', '', '']
  const { number, status, size, createdAt = '' } = newest
  return [id, name, String(number), status, size === undefined ? '' : formatBytes(size), createdAt]
}
