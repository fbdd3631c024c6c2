import type { AllGiven, Form } from '#shared/providers/form.ts'
import { forms } from '#shared/providers/forms.ts'
import { UsageError } from '../errors.ts'
import { choice, duration, text, whole, type Values } from '../flags.ts'
import { flagsOf, foreignFlag, formOf, providerNames, type OptionsOf } from '../forms.ts'
import type { Source } from './sources.ts'

const uploadOptions: OptionsOf = ({ upload }) => upload.options

const commonFlags = {
  account: text('ID', 'the account to upload with'),
  provider: choice(
    providerNames,
    'the provider; unless given that of the account, or with --dry-run the one that has these flags',
  ),
  priority: whole('N', 'from 0 to 1000; lower ones go first; 100 unless given', { min: 0, max: 1000 }),
  deadline: duration('give up when it is not done after this time, such as 2h'),
} as const

/** What to upload to where, the same for all files of a command. */
export const requestFlags = { ...commonFlags, ...flagsOf(uploadOptions) } as const

type CommonFlags = Values<typeof commonFlags>
export type RequestFlags = AllGiven & CommonFlags

/** Why these files can not be uploaded like this at that provider, if so. */
const problemAt = (form: Form, flags: RequestFlags, sources: readonly Source[]): string | undefined =>
  foreignFlag(flags, form, uploadOptions) ?? form.upload.problem(flags, sources)

/** Throws `UsageError` when these files can not be uploaded like this at that provider. */
export const checkRequest = (form: Form, flags: RequestFlags, sources: readonly Source[]): void => {
  const problem = problemAt(form, flags, sources)
  if (problem !== undefined) throw new UsageError(problem)
}

/**
 * The providers that these flags may be meant for, at least one. Throws `UsageError` for what none of them takes,
 * so that it is said before anybody is asked which provider it is.
 */
export const fittingForms = (flags: RequestFlags, sources: readonly Source[]): readonly [Form, ...Form[]] => {
  const wanted = flags.provider === undefined ? forms : [formOf(flags.provider)]
  const [first, ...others] = wanted.filter((form) => problemAt(form, flags, sources) === undefined)
  if (first !== undefined) return [first, ...others]
  // Who has all of these flags was meant; the others would only complain of them.
  const meant = wanted.filter((form) => foreignFlag(flags, form, uploadOptions) === undefined)
  const blamed = meant.length === 0 ? wanted : meant
  const problems = blamed.map((form) => {
    const problem = problemAt(form, flags, sources) ?? ''
    return blamed.length === 1 ? problem : `${problem} (${form.provider})`
  })
  throw new UsageError(problems.join('; '))
}

/** The body of `POST /v1/uploads`. */
export const requestBody = (form: Form, flags: RequestFlags, source: Source): Record<string, unknown> => ({
  provider: form.provider,
  account: flags.account,
  priority: flags.priority,
  deadline: deadlineOf(flags),
  source: source.url,
  ...form.upload.request(flags, source),
})

const deadlineOf = ({ deadline }: RequestFlags): string | undefined =>
  deadline === undefined ? undefined : new Date(Date.now() + deadline).toISOString()
