import type { AccountForm, AllGiven, Field } from '#shared/providers/form.ts'
import { stdinFlag } from './account-options.ts'
import { isInteractive, type Io } from './io.ts'
import type { Secrets, Wanted } from './secrets.ts'
import { askLine } from './terminal/prompt.ts'

interface Asking {
  readonly given: AllGiven
  readonly io: Io
  readonly secrets: Secrets
}

/**
 * All that the provider wants to know, by flag, standard input, environment or prompt; questions come in the
 * order of the lines of standard input. Throws `UsageError` for what is missing when nobody can be asked.
 */
export const answersOf = async (
  { fields }: AccountForm,
  asking: Asking,
): Promise<Readonly<Record<string, string>>> => {
  const way = fields.some((field) => isImported(field, asking.given)) ? 'import' : 'password'
  const answers: Record<string, string> = {}
  for (const field of fields) {
    if (field.by !== undefined && field.by !== way) continue
    const answer = await (field.isSecret ? secretOf(field, asking) : plainOf(field, asking))
    if (answer !== undefined && answer !== '') answers[field.name] = answer
  }
  return answers
}

/** Whether a login made elsewhere is to be handed in by this field. */
export const isImported = (field: Field, given: AllGiven): boolean =>
  field.by === 'import' && (given[field.flag] === true || isPiped(field, given))

const isPiped = (field: Field, given: AllGiven): boolean => given[stdinFlag(field)] === true

/** A secret field as it is asked for. */
export const wantedOf = (field: Field, given: AllGiven): Wanted => ({
  ...field,
  flag: stdinFlag(field),
  fromStdin: isPiped(field, given),
})

const secretOf = async (field: Field, { given, io, secrets }: Asking): Promise<string | undefined> => {
  const wanted = wantedOf(field, given)
  if (field.is === 'needed') return secrets.need(wanted)
  // Not everybody has one: where nobody can be asked, or standard input holds the answers, none is wanted.
  const isAsked = field.is === 'wanted' && isInteractive(io) && !hasPiped(given)
  return isAsked ? secrets.need(wanted) : secrets.given(wanted)
}

const hasPiped = (given: AllGiven): boolean =>
  Object.entries(given).some(([name, value]) => name.endsWith('-stdin') && value === true)

const plainOf = async ({ flag, env = '', question }: Field, { given, io }: Asking): Promise<string> => {
  const known = given[flag] ?? io.env[env]
  if (typeof known === 'string' && known !== '') return known
  const missing = `--${flag} is missing${env === '' ? '' : `, or ${env}`}`
  return askLine(io, question, missing)
}

/** Settings that were given, as the request has them. */
export const settingsOf = ({ settings }: AccountForm, given: AllGiven): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([flag, { name }]) =>
      given[flag] === undefined ? [] : [[name, given[flag]] as const],
    ),
  )
