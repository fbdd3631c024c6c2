import type { AllGiven, Field, Form } from '#shared/providers/form.ts'
import { forms } from '#shared/providers/forms.ts'
import { isImported, wantedOf } from '../account-fields.ts'
import { importOptions } from '../account-options.ts'
import { account, type Account } from '../api/answers.ts'
import { at, type Api } from '../api/client.ts'
import { Refused } from '../api/problem.ts'
import { defineCommand, jsonFlag } from '../command.ts'
import { exitCodes, Failed, UsageError } from '../errors.ts'
import { text, toggle } from '../flags.ts'
import { flagsOf, formOf, refuseForeignFlags } from '../forms.ts'
import { isInteractive, line, type Io } from '../io.ts'
import { showPicture } from '../picture.ts'
import { createSecrets, type Secrets, type Wanted } from '../secrets.ts'
import { showJson } from '../show.ts'
import { askLine } from '../terminal/prompt.ts'

const TRIES = 3
/** A captcha that was misread several times, then the code of the authenticator. */
const ROUNDS = TRIES + 1

const methods = forms.map(
  ({ provider, account: { codes } }) => `${provider} has ${Object.keys(codes).join(', ')}`,
)
const variables = forms.map(({ account: { codeEnv } }) => codeEnv).join(', ')

export const accountLogin = defineCommand({
  name: 'account login',
  args: ['ID'],
  summary: 'log an account in, and answer what the provider asks for',
  details:
    'The code (of the authenticator, from an e-mail, or whatever the provider wants) is asked for; a stored TOTP\n' +
    `secret answers by itself. Elsewhere the code comes from the environment (${variables}) or\n` +
    'standard input, one a line with an imported login first.',
  examples: [
    'stevedore account login main',
    'stevedore account login main --method otp',
    ...forms.flatMap(({ account: { fields } }) =>
      fields.filter(({ by }) => by === 'import').map(({ flag }) => `stevedore account login main --${flag}`),
    ),
    'echo 123456 | stevedore account login main --code-stdin',
  ],
  flags: {
    ...flagsOf(importOptions),
    method: text('METHOD', `how to give the code, where there are several ways: ${methods.join('; ')}`),
    'code-stdin': toggle('read the code from standard input; else asked for'),
    ...jsonFlag,
  },
  run: async ({ args: [id = ''], flags }, { io, api }) => {
    const found = await api.ask({ path: at`/v1/accounts/${id}` }, account)
    const form = formOf(found.provider)
    refuseForeignFlags(flags, form, importOptions)
    const login = { id, form, api, io, secrets: createSecrets(io), given: flags, method: flags.method }
    const begun = await begin(found, login)
    const ended = await answerAll(begun, login)
    if (flags.json) showJson(io, ended)
    if (ended.state !== 'ready')
      throw new Failed(`Account ${id} is ${ended.state}: ${ended.stateReason ?? 'no reason given'}`)
    if (!flags.json) line(io.out, `Account ${id} is logged in`)
    return exitCodes.done
  },
})

interface Login {
  readonly id: string
  readonly form: Form
  readonly api: Api
  readonly io: Io
  readonly secrets: Secrets
  readonly given: AllGiven
  readonly method: string | undefined
}

/** Logs in, unless the login that a code at hand was sent for still waits: another would send another code. */
const begin = async (found: Account, login: Login): Promise<Account> => {
  const { form, given } = login
  const imported = form.account.fields.find((field) => isImported(field, given))
  if (imported !== undefined) await importLogin(imported, login)
  else if (hasSentCode(found, login)) return found
  return logIn(login)
}

const logIn = async ({ id, api }: Login): Promise<Account> =>
  api.ask({ method: 'POST', path: at`/v1/accounts/${id}/login` }, account)

const hasSentCode = ({ state, challengeMethods }: Account, login: Login): boolean => {
  const { codes } = login.form.account
  const isSent = challengeMethods.some((method) => codes[method]?.isSent)
  return isSent && state === 'needs-2fa' && isCodeGiven(login)
}

const isCodeGiven = ({ form, io, given }: Login): boolean =>
  given['code-stdin'] === true || (io.env[form.account.codeEnv] ?? '') !== ''

const importLogin = async (field: Field, { id, api, secrets, given }: Login): Promise<void> => {
  const body = { [field.name]: await secrets.need(wantedOf(field, given)) }
  await api.ask({ method: 'PATCH', path: at`/v1/accounts/${id}`, body, secrets: secrets.seen }, account)
}

/** Answers one question after the other, as long as there are any. */
const answerAll = async (begun: Account, login: Login): Promise<Account> => {
  let found = begun
  for (let rounds = 0; found.state === 'needs-2fa' && rounds < ROUNDS; rounds++) {
    const method = await chooseMethod(found, login)
    await using _picture = await showPicture(found.stateReason ?? '', login.io)
    found = await answer(method, login)
  }
  return found
}

/** Hands in the code. A person who mistyped may try again. */
const answer = async (method: string, login: Login): Promise<Account> => {
  for (let triesLeft = isInteractive(login.io) && !isCodeGiven(login) ? TRIES : 1; ; triesLeft--) {
    try {
      return await handIn(method, login)
    } catch (error) {
      if (triesLeft === 1 || !(error instanceof Refused && error.status === 422)) throw error
      line(login.io.err, error.message)
    }
    if (login.form.account.codes[method]?.isOnce) return logIn(login)
  }
}

const handIn = async (method: string, { id, form, api, secrets, given }: Login): Promise<Account> => {
  const { codes, codeEnv } = form.account
  const wanted: Wanted = {
    name: 'code',
    question: codes[method]?.question ?? 'Code:',
    env: codeEnv,
    flag: 'code-stdin',
    fromStdin: given['code-stdin'] === true,
  }
  const body = { method, code: await secrets.need(wanted) }
  const ask = { method: 'POST', path: at`/v1/accounts/${id}/challenge`, body } as const
  return api.ask({ ...ask, secrets: secrets.seen }, account)
}

const chooseMethod = async ({ challengeMethods: methods }: Account, login: Login): Promise<string> => {
  const chosen = login.method ?? (await askMethod(methods, login))
  const known = methods.find((one) => one.toLowerCase() === chosen.toLowerCase())
  if (known !== undefined || methods.length === 0) return known ?? chosen
  throw new UsageError(`The code can be given by ${methods.join(', ')}, not by ${JSON.stringify(chosen)}`)
}

/** The first is what most people use; only a person is asked which one it shall be. */
const askMethod = async (methods: readonly string[], { io, form }: Login): Promise<string> => {
  const [first = Object.keys(form.account.codes)[0] ?? '', second] = methods
  if (second === undefined || !isInteractive(io)) return first
  const chosen = await askLine(
    io,
    `Code by which way, ${methods.join(' or ')}? [${first}]`,
    '--method is missing',
  )
  return chosen === '' ? first : chosen
}
