import { setTimeout as sleep } from 'node:timers/promises'
import { nothing } from '../api/answers.ts'
import { at } from '../api/client.ts'
import { Refused } from '../api/problem.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { toggle } from '../flags.ts'
import { line } from '../io.ts'
import { showJson } from '../show.ts'

export const accountRemove = defineCommand({
  name: 'account remove',
  args: ['ID'],
  summary: 'forget an account and its login',
  details:
    'Nothing is deleted at the provider. While uploads of the account are under way it is refused;\n--force cancels them first.',
  examples: ['stevedore account remove main', 'stevedore account remove main --force'],
  flags: { force: toggle('cancel the uploads that are under way'), ...jsonFlag },
  run: async ({ args: [id = ''], flags }, { io, api, signal }) => {
    const query = { force: flags.force || undefined }
    const remove = async (): Promise<unknown> =>
      api.ask({ method: 'DELETE', path: at`/v1/accounts/${id}`, query }, nothing)
    await (flags.force ? untilFree(remove, signal) : remove())
    if (flags.json) showJson(io, { id, removed: true })
    else line(io.out, `Account ${id} is removed`)
    return exitCodes.done
  },
})

const AGAIN_MS = 1_000
const TRIES = 60

/** Cancelling takes a moment, and until it is done the account is refused to go. */
const untilFree = async (remove: () => Promise<unknown>, signal: AbortSignal): Promise<void> => {
  for (let tries = 1; ; tries++) {
    try {
      await remove()
      return
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 409 || tries === TRIES) throw error
    }
    await sleep(AGAIN_MS, undefined, { signal })
  }
}
