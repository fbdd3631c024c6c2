import { account } from '../api/answers.ts'
import { at, type Api } from '../api/client.ts'
import { Refused } from '../api/problem.ts'
import { formOf, type AccountForm } from '../account-forms.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, Failed } from '../errors.ts'
import { choice, text, toggle, whole, type Values } from '../flags.ts'
import { isInteractive, line, type Io } from '../io.ts'
import { createSecrets, type Secrets } from '../secrets.ts'
import { showJson } from '../show.ts'
import { askLine, confirm } from '../terminal/prompt.ts'

const flags = {
  username: text('NAME', 'user name or e-mail address; else VRCHAT_USERNAME, else asked for'),
  contact: text('ADDRESS', 'e-mail address or URL where the provider can reach you; else asked for'),
  acknowledge: toggle('you have read what the provider says about software like this; else asked for'),
  'password-stdin': toggle('read the password from standard input; else VRCHAT_PASSWORD, else asked for'),
  'totp-secret-stdin': toggle(
    'read the TOTP secret from standard input; else VRCHAT_TOTP_SECRET, else asked for',
  ),
  cookie: toggle('with an auth cookie of a login made elsewhere, which is asked for, instead of a password'),
  'cookie-stdin': toggle('read that cookie from standard input; else VRCHAT_AUTH_COOKIE'),
  'api-key-stdin': toggle('read the old apiKey cookie from standard input; else VRCHAT_API_KEY, else none'),
  'base-url': text('URL', 'another server with the same API'),
  'on-foreign': choice(
    ['wait', 'delete', 'fail'],
    "when somebody else's upload is unfinished there; wait unless given",
  ),
  'etag-check': choice(
    ['strict', 'opaque'],
    'opaque for storage whose ETags are no MD5s; strict unless given',
  ),
  'max-active-uploads': whole('N', 'uploads at once', { min: 1, max: 1000 }),
  'parts-at-once': whole('N', 'parts at once', { min: 1, max: 64 }),
  'calls-at-once': whole('N', 'API calls at once', { min: 1, max: 64 }),
  'call-spacing-ms': whole('MS', 'least time between two API calls', { min: 0, max: 60_000 }),
  ...jsonFlag,
} as const

type AddFlags = Values<typeof flags>

export const accountAdd = defineCommand({
  name: 'account add',
  args: ['PROVIDER', 'ID'],
  summary: 'add an account at a provider (vrchat), under an id of your choice',
  details:
    'Asks for what is missing. Secrets are never flags: they are asked for, read from the environment, or from\n' +
    'standard input, one a line in this order: password, TOTP secret, cookie, apiKey.',
  examples: [
    'stevedore account add vrchat main',
    'printf "%s\\n" "$PASSWORD" | stevedore account add vrchat main --username me --contact me@my.site --password-stdin --acknowledge',
    'VRCHAT_AUTH_COOKIE=authcookie_… stevedore account add vrchat main --cookie --contact me@my.site --acknowledge',
  ],
  flags,
  run: async ({ args: [provider = '', id = ''], flags }, { io, api }) => {
    const form = formOf(provider)
    await refuseTaken(api, id)
    await acknowledge(form, { io, given: flags.acknowledge })
    const secrets = createSecrets(io)
    const body = {
      id,
      provider,
      acknowledged: true,
      ...(await credentialsOf(form, { flags, io, secrets })),
      contact: flags.contact ?? (await askLine(io, form.contact.question, '--contact is missing')),
      ...settingsOf(flags),
    }
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

const acknowledge = async (
  { notice }: AccountForm,
  { io, given }: { io: Io; given: boolean },
): Promise<void> => {
  line(io.err, notice)
  line(io.err)
  const missing = 'Nobody can be asked here: --acknowledge says that you have read this'
  if (given || (await confirm(io, 'Have you read this, and do you want to go on?', missing))) return
  throw new Failed('No account was added')
}

interface Asking {
  readonly flags: AddFlags
  readonly io: Io
  readonly secrets: Secrets
}

/** The login, either by password or by cookie; questions come in the order of the lines of standard input. */
const credentialsOf = async (
  form: AccountForm,
  { flags, io, secrets }: Asking,
): Promise<Record<string, unknown>> => {
  const cookieFrom = { fromStdin: flags['cookie-stdin'], flag: 'cookie-stdin' }
  const byCookie = flags.cookie || flags['cookie-stdin']
  const login = byCookie ? {} : await passwordLogin(form, { flags, io, secrets })
  const authCookie = byCookie ? await secrets.need(form.cookie, cookieFrom) : undefined
  const apiKey = await secrets.given(form.apiKey, {
    fromStdin: flags['api-key-stdin'],
    flag: 'api-key-stdin',
  })
  return defined({ ...login, authCookie, apiKey })
}

const passwordLogin = async (
  form: AccountForm,
  { flags, io, secrets }: Asking,
): Promise<Record<string, unknown>> => {
  const missing = `--username is missing, or ${form.username.env}`
  const username =
    flags.username ?? io.env[form.username.env] ?? (await askLine(io, form.username.question, missing))
  const password = await secrets.need(form.password, {
    fromStdin: flags['password-stdin'],
    flag: 'password-stdin',
  })
  const totpFrom = { fromStdin: flags['totp-secret-stdin'], flag: 'totp-secret-stdin' }
  // Not everybody has one: where nobody can be asked, none is wanted.
  const ask = isInteractive(io) && !flags['password-stdin'] ? secrets.need : secrets.given
  const totpSecret = await ask(form.totpSecret, totpFrom)
  return { username, password, totpSecret: totpSecret === '' ? undefined : totpSecret }
}

const settingsOf = (flags: AddFlags): Record<string, unknown> => {
  const limits = defined({
    maxActiveUploads: flags['max-active-uploads'],
    partsAtOnce: flags['parts-at-once'],
    callsAtOnce: flags['calls-at-once'],
    callSpacingMs: flags['call-spacing-ms'],
  })
  return defined({
    baseUrl: flags['base-url'],
    onForeign: flags['on-foreign'],
    etagCheck: flags['etag-check'],
    limits: Object.keys(limits).length === 0 ? undefined : limits,
  })
}

const defined = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
