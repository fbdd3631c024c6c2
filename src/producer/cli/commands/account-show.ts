import { account } from '../api/answers.ts'
import { at } from '../api/client.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { showAccount, showJson } from '../show.ts'

export const accountShow = defineCommand({
  name: 'account show',
  args: ['ID'],
  summary: 'show an account, its state and its limits',
  details: 'Passwords, cookies and other secrets are never shown: the service does not give them out.',
  examples: ['stevedore account show main'],
  flags: jsonFlag,
  run: async ({ args: [id = ''], flags }, { io, api }) => {
    const found = await api.ask({ path: at`/v1/accounts/${id}` }, account)
    if (flags.json) showJson(io, found)
    else showAccount(io, found)
    return exitCodes.done
  },
})
