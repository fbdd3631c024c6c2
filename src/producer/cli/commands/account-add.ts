import type { AccountForm, AllGiven } from '#shared/providers/form.ts'
import { forms } from '#shared/providers/forms.ts'
import { answersOf, settingsOf } from '../account-fields.ts'
import { accountOptions } from '../account-options.ts'
import { account } from '../api/answers.ts'
import { at, type Api } from '../api/client.ts'
import { Refused } from '../api/problem.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, Failed } from '../errors.ts'
import { whole, type Values } from '../flags.ts'
import { examplesOf, flagsOf, formOf, providerNames, refuseForeignFlags } from '../forms.ts'
import { line, type Io } from '../io.ts'
import { createSecrets } from '../secrets.ts'
import { showJson } from '../show.ts'
import { confirm } from '../terminal/prompt.ts'

const limitFlags = {
  'max-active-uploads': whole('N', 'uploads at once', { min: 1, max: 1000 }),
  'parts-at-once': whole('N', 'parts at once', { min: 1, max: 64 }),
  'calls-at-once': whole('N', 'API calls at once', { min: 1, max: 64 }),
  'call-spacing-ms': whole('MS', 'least time between two API calls', { min: 0, max: 60_000 }),
} as const

export const accountAdd = defineCommand({
  name: 'account add',
  args: ['PROVIDER', 'ID'],
  summary: `add an account at a provider (${providerNames.join(', ')}), under an id of your choice`,
  details:
    'Asks for what is missing. Secrets are never flags: they are asked for, read from the environment, or from\n' +
    `standard input, one a line in the order of the -stdin flags below. The environment may hold:\n${variables()}`,
  examples: examplesOf('account add'),
  flags: { ...flagsOf(accountOptions), ...limitFlags, ...jsonFlag },
  run: async ({ args: [provider = '', id = ''], flags }, { io, api }) => {
    const form = formOf(provider)
    refuseForeignFlags(flags, form, accountOptions)
    await refuseTaken(api, id)
    const agreed = await agree(form.account, { io, given: flags })
    const secrets = createSecrets(io)
    const answers = await answersOf(form.account, { given: flags, io, secrets })
    const settings = { ...settingsOf(form.account, flags), limits: limitsOf(flags) }
    const body = { id, provider, ...agreed, ...answers, ...settings }
    const added = await api.ask(
      { method: 'POST', path: '/v1/accounts', body, secrets: secrets.seen },
      account,
    )
    if (flags.json) showJson(io, added)
    else
      line(
        io.out,
        `Account ${added.id} is added; log it in now with: npx stevedore account login ${added.id}`,
      )
    return exitCodes.done
  },
})

/** A line of names for each provider. */
function variables(): string {
  return forms
    .map(({ provider, account: { fields } }) => {
      const names = fields.flatMap(({ env }) => env ?? [])
      return `  ${provider}: ${names.join(', ')}`
    })
    .join('\n')
}

/** Before a person is asked for everything. */
const refuseTaken = async (api: Api, id: string): Promise<void> => {
  try {
    await api.ask({ path: at`/v1/accounts/${id}` }, account)
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return
    throw error
  }
  throw new Failed(`There is an account ${id} already`)
}

/** Shows what the provider's users have to know, if anything, and answers what the request says of it. */
const agree = async (
  { notice }: AccountForm,
  { io, given }: { readonly io: Io; readonly given: AllGiven },
): Promise<Readonly<Record<string, true>>> => {
  if (notice === undefined) return {}
  line(io.err, notice.text)
  line(io.err)
  const missing = `Nobody can be asked here: --${notice.flag} says that you have read this`
  const isAgreed = given[notice.flag] === true
  if (isAgreed || (await confirm(io, 'Have you read this, and do you want to go on?', missing)))
    return { [notice.name]: true }
  throw new Failed('No account was added')
}

/** Nothing when the provider's own limits shall hold. */
const limitsOf = (flags: Values<typeof limitFlags>): Readonly<Record<string, number>> | undefined => {
  const limits = {
    maxActiveUploads: flags['max-active-uploads'],
    partsAtOnce: flags['parts-at-once'],
    callsAtOnce: flags['calls-at-once'],
    callSpacingMs: flags['call-spacing-ms'],
  }
  const given = Object.entries(limits).flatMap(([name, limit]) =>
    limit === undefined ? [] : [[name, limit] as const],
  )
  return given.length === 0 ? undefined : Object.fromEntries(given)
}
