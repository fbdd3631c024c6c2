import { account, type Account } from '../api/answers.ts'
import { at, type Api } from '../api/client.ts'
import { Refused } from '../api/problem.ts'
import { formOf, type AccountForm, type Field } from '../account-forms.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, Failed, UsageError } from '../errors.ts'
import { text, toggle } from '../flags.ts'
import { isInteractive, line, type Io } from '../io.ts'
import { createSecrets, type Secrets } from '../secrets.ts'
import { showJson } from '../show.ts'
import { askLine } from '../terminal/prompt.ts'

const TRIES = 3

export const accountLogin = defineCommand({
  name: 'account login',
  args: ['ID'],
  summary: 'log an account in, and answer what the provider asks for',
  details:
    'The code (of the authenticator, from an e-mail, or a recovery code) is asked for; a stored TOTP secret\n' +
    'answers by itself. Elsewhere the code comes from VRCHAT_CODE or standard input, one a line with the cookie first.',
  examples: [
    'stevedore account login main',
    'stevedore account login main --method otp',
    'stevedore account login main --cookie',
    'echo 123456 | stevedore account login main --code-stdin',
  ],
  flags: {
    method: text(
      'METHOD',
      'how to give the code, where there are several ways: totp, emailOtp, otp (recovery)',
    ),
    'code-stdin': toggle('read the code from standard input; else VRCHAT_CODE, else asked for'),
    cookie: toggle('import the auth cookie of a login made elsewhere; VRCHAT_AUTH_COOKIE, else asked for'),
    'cookie-stdin': toggle('read that cookie from standard input'),
    ...jsonFlag,
  },
  run: async ({ args: [id = ''], flags }, { io, api }) => {
    const secrets = createSecrets(io)
    const cookie = { wanted: flags.cookie || flags['cookie-stdin'], fromStdin: flags['cookie-stdin'] }
    const asked = await begin(id, { api, io, secrets, cookie, codeFromStdin: flags['code-stdin'] })
    const found =
      asked.state === 'needs-2fa'
        ? await answer(asked, { api, io, secrets, method: flags.method, fromStdin: flags['code-stdin'] })
        : asked
    if (flags.json) showJson(io, found)
    if (found.state !== 'ready')
      throw new Failed(`Account ${id} is ${found.state}: ${found.stateReason ?? 'no reason given'}`)
    if (!flags.json) line(io.out, `Account ${id} is logged in`)
    return exitCodes.done
  },
})

interface Beginning {
  readonly api: Api
  readonly io: Io
  readonly secrets: Secrets
  readonly cookie: { readonly wanted: boolean; readonly fromStdin: boolean }
  readonly codeFromStdin: boolean
}

/** Logs in, unless the login that a code at hand was sent for still waits: another would send another code. */
const begin = async (id: string, beginning: Beginning): Promise<Account> => {
  const { api, secrets, cookie } = beginning
  if (cookie.wanted) {
    await importCookie(id, { api, secrets, fromStdin: cookie.fromStdin })
  } else {
    const found = await api.ask({ path: at`/v1/accounts/${id}` }, account)
    if (hasSentCode(found, beginning)) return found
  }
  return api.ask({ method: 'POST', path: at`/v1/accounts/${id}/login` }, account)
}

const hasSentCode = (
  { provider, state, challengeMethods }: Account,
  { io, codeFromStdin }: Beginning,
): boolean => {
  const { code, sentCode } = formOf(provider)
  const isGiven = codeFromStdin || (io.env[code.env] ?? '') !== ''
  return isGiven && state === 'needs-2fa' && challengeMethods.includes(sentCode)
}

interface Importing {
  readonly api: Api
  readonly secrets: Secrets
  readonly fromStdin: boolean
}

const importCookie = async (id: string, { api, secrets, fromStdin }: Importing): Promise<void> => {
  const { provider } = await api.ask({ path: at`/v1/accounts/${id}` }, account)
  const { cookie } = formOf(provider)
  const body = { [cookie.name]: await secrets.need(cookie, { fromStdin, flag: 'cookie-stdin' }) }
  await api.ask({ method: 'PATCH', path: at`/v1/accounts/${id}`, body, secrets: secrets.seen }, account)
}

interface Answering {
  readonly api: Api
  readonly io: Io
  readonly secrets: Secrets
  readonly method: string | undefined
  readonly fromStdin: boolean
}

/** Hands in the code. A person who mistyped may try again. */
const answer = async (asked: Account, answering: Answering): Promise<Account> => {
  const method = await chooseMethod(asked, answering)
  const { code, codes } = formOf(asked.provider)
  const field = { ...code, question: codes[method] ?? code.question }
  for (let triesLeft = asksPerson(field, answering) ? TRIES : 1; ; triesLeft--) {
    try {
      return await handIn(asked.id, { ...answering, method, field })
    } catch (error) {
      if (triesLeft === 1 || !(error instanceof Refused && error.status === 422)) throw error
      line(answering.io.err, error.message)
    }
  }
}

const asksPerson = ({ env }: Field, { io, fromStdin }: Answering): boolean =>
  isInteractive(io) && !fromStdin && (io.env[env] ?? '') === ''

const handIn = async (
  id: string,
  { api, secrets, method, field, fromStdin }: Answering & { readonly method: string; readonly field: Field },
): Promise<Account> => {
  const code = await secrets.need(field, { fromStdin, flag: 'code-stdin' })
  const ask = { method: 'POST', path: at`/v1/accounts/${id}/challenge`, body: { method, code } } as const
  return api.ask({ ...ask, secrets: secrets.seen }, account)
}

const chooseMethod = async (
  { challengeMethods: methods, provider }: Account,
  { io, method }: Answering,
): Promise<string> => {
  const chosen = method ?? (await askMethod(methods, { io, form: formOf(provider) }))
  const known = methods.find((one) => one.toLowerCase() === chosen.toLowerCase())
  if (known !== undefined || methods.length === 0) return known ?? chosen
  throw new UsageError(`The code can be given by ${methods.join(', ')}, not by ${JSON.stringify(chosen)}`)
}

/** The first is what most people use; only a person is asked which one it shall be. */
const askMethod = async (
  methods: readonly string[],
  { io, form }: { readonly io: Io; readonly form: AccountForm },
): Promise<string> => {
  const [first = Object.keys(form.codes)[0] ?? '', second] = methods
  if (second === undefined || !isInteractive(io)) return first
  const chosen = await askLine(
    io,
    `Code by which way, ${methods.join(' or ')}? [${first}]`,
    '--method is missing',
  )
  return chosen === '' ? first : chosen
}
