import { upload } from '../api/answers.ts'
import { at } from '../api/client.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { showJson, showUpload } from '../show.ts'

export const status = defineCommand({
  name: 'status',
  args: ['ID'],
  summary: 'show everything about an upload',
  details: 'Succeeds whatever state the upload is in; programs read `state` with --json.',
  examples: ['stevedore status upl_01k9…', 'stevedore status upl_01k9… --json | jq -r .state'],
  flags: jsonFlag,
  run: async ({ args: [id = ''], flags }, { io, api }) => {
    const found = await api.ask({ path: at`/v1/uploads/${id}` }, upload)
    if (flags.json) showJson(io, found)
    else showUpload(io, found)
    return exitCodes.done
  },
})
