import { upload } from '../api/answers.ts'
import { at } from '../api/client.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { line } from '../io.ts'
import { showJson } from '../show.ts'

export const retry = defineCommand({
  name: 'retry',
  args: ['ID'],
  summary: 'let a failed or cancelled upload run again',
  examples: ['stevedore retry upl_01k9…'],
  flags: jsonFlag,
  run: async ({ args: [id = ''], flags }, { io, api }) => {
    const found = await api.ask({ method: 'POST', path: at`/v1/uploads/${id}/retry` }, upload)
    if (flags.json) showJson(io, found)
    else line(io.out, `${found.id} is ${found.state} again`)
    return exitCodes.done
  },
})
