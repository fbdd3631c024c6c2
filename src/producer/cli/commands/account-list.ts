import { listAccounts, noAccounts } from '../choose-account.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { line } from '../io.ts'
import { withoutPicture } from '../picture.ts'
import { ageOf, showJson, showTable } from '../show.ts'

export const accountList = defineCommand({
  name: 'account list',
  args: [],
  summary: 'list the accounts',
  examples: ['stevedore account list'],
  flags: jsonFlag,
  run: async ({ flags }, { io, api }) => {
    const accounts = await listAccounts(api)
    if (flags.json) {
      showJson(io, accounts)
      return exitCodes.done
    }
    if (accounts.length === 0) line(io.err, noAccounts)
    if (accounts.length === 0) return exitCodes.done
    const columns = [
      { title: 'ID' },
      { title: 'PROVIDER' },
      { title: 'STATE' },
      { title: 'ACTIVE', align: 'right' },
      { title: 'AGE', align: 'right' },
      { title: 'WHY', shrinks: true },
    ] as const
    const rows = accounts.map((account) => [
      account.id,
      account.provider,
      account.parked === undefined ? account.state : 'parked',
      String(account.activeUploads),
      ageOf(account.createdAt),
      withoutPicture(account.stateReason ?? account.parked?.why ?? ''),
    ])
    showTable(io, columns, rows)
    return exitCodes.done
  },
})
