import { nothing, remoteFile, type RemoteFile } from '../api/answers.ts'
import { at } from '../api/client.ts'
import { chooseAccount } from '../choose-account.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, Failed } from '../errors.ts'
import { text, toggle } from '../flags.ts'
import { examplesOf } from '../forms.ts'
import { line } from '../io.ts'
import { fileLooks, readVersion } from '../remote-file.ts'
import { showJson } from '../show.ts'
import { count } from '../terminal/format.ts'
import { confirm } from '../terminal/prompt.ts'
import { printable } from '../terminal/text.ts'

export const deleteCommand = defineCommand({
  name: 'delete',
  args: ['FILE', '[VERSION]'],
  summary: 'delete a file at the provider, or one version of it',
  details:
    'It can not be undone here; some providers keep a file in their trash. Asks first; where nobody can be asked it does nothing without --yes.\n' +
    `FILE is what the provider calls it: ${fileLooks}.`,
  examples: examplesOf('delete'),
  flags: {
    account: text('ID', 'whose file; the only account unless given'),
    yes: toggle('do not ask'),
    ...jsonFlag,
  },
  run: async ({ args: [file = '', written], flags }, { io, api }) => {
    const version = written === undefined ? undefined : readVersion(file, written)
    const id = await chooseAccount(api, flags.account)
    const path = at`/v1/accounts/${id}/files/${file}`
    const what = version === undefined ? file : `version ${version} of ${file}`
    if (!flags.yes) {
      const question = questionOf(await api.ask({ path }, remoteFile), { account: id, version })
      const missing = 'Nobody can be asked here: --yes deletes without asking'
      if (!(await confirm(io, question, missing))) throw new Failed('Nothing was deleted')
    }
    const target = version === undefined ? path : `${path}${at`/versions/${version}`}`
    await api.ask({ method: 'DELETE', path: target }, nothing)
    if (flags.json) showJson(io, { id: file, ...(version !== undefined && { version }), deleted: true })
    else line(io.out, printable(`Deleted ${what}`))
    return exitCodes.done
  },
})

interface Target {
  readonly account: string
  readonly version: number | string | undefined
}

/** Says what is really there, as an id alone is easily mistaken. */
const questionOf = ({ id, name, versions }: RemoteFile, { account, version }: Target): string => {
  const file = `${JSON.stringify(name)} (${id}) of account ${account}`
  if (name.endsWith('/') && version === undefined)
    return `Delete the folder ${file} for good, with all that is in it?`
  if (version === undefined) return `Delete ${file} for good, with ${count(versions.length, 'version')}?`
  const found = versions.find(({ number }) => String(number) === String(version))
  if (found === undefined) throw new Failed(`There is no version ${version} of ${file}`)
  return `Delete version ${version} (${found.status}) of ${file} for good?`
}
