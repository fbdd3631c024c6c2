import { upload } from '../api/answers.ts'
import { at } from '../api/client.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { line } from '../io.ts'
import { showJson } from '../show.ts'

export const cancel = defineCommand({
  name: 'cancel',
  args: ['ID'],
  summary: 'stop an upload, and leave nothing half-made behind',
  details: 'It ends as `cancelled` a moment later, or as `completed` if the provider had all of it already.',
  examples: ['stevedore cancel upl_01k9…'],
  flags: jsonFlag,
  run: async ({ args: [id = ''], flags }, { io, api }) => {
    const found = await api.ask({ method: 'POST', path: at`/v1/uploads/${id}/cancel` }, upload)
    if (flags.json) showJson(io, found)
    else line(io.out, `${found.id} is being cancelled (${found.state})`)
    return exitCodes.done
  },
})
