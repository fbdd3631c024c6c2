import type { AllGiven, ExampleOf, Form, Option, Options } from '#shared/providers/form.ts'
import { forms } from '#shared/providers/forms.ts'
import { UsageError } from './errors.ts'
import { byteSize, choice, duration, list, text, toggle, type Flag, type Flags } from './flags.ts'

/** Names of all providers, for messages. */
export const providerNames = forms.map(({ provider }) => provider)

/** How people are asked for that provider. Throws `UsageError` for one that does not exist. */
export const formOf = (provider: string): Form => {
  const form = forms.find((form) => form.provider === provider)
  if (form !== undefined) return form
  throw new UsageError(
    `There is no provider ${JSON.stringify(provider)}: it is one of ${providerNames.join(', ')}`,
  )
}

/** The part of a form that becomes flags of a command. */
export type OptionsOf = (form: Form) => Options

/** The flags of all providers; where only some have one, or mean another thing by it, the help says so. */
export const flagsOf = (optionsOf: OptionsOf): Flags => {
  const names = new Set(forms.flatMap((form) => Object.keys(optionsOf(form))))
  return Object.fromEntries([...names].map((name) => [name, flagFor(name, optionsOf)]))
}

const flagFor = (name: string, optionsOf: OptionsOf): Flag<unknown> => {
  const owners = forms.flatMap((form) => {
    const option = optionsOf(form)[name]
    return option === undefined ? [] : [{ provider: form.provider, option }]
  })
  const [first, ...others] = owners
  if (first === undefined) throw new Error(`No provider has --${name}`)
  const isSame = others.every(({ option }) => option.help === first.option.help)
  if (!isSame)
    return toFlag(
      first.option,
      owners.map(({ provider, option }) => `${provider}: ${option.help}`).join('; '),
    )
  const isAll = owners.length === forms.length
  const whose = owners.map(({ provider }) => provider).join(', ')
  return toFlag(first.option, isAll ? first.option.help : `${whose}: ${first.option.help}`)
}

const toFlag = (option: Option, help: string): Flag<unknown> => {
  if (option.kind === 'toggle') return toggle(help)
  if (option.kind === 'text') return text(option.value, help)
  if (option.kind === 'list') return list(option.value, help)
  if (option.kind === 'choice') return choice(option.choices, help)
  return option.kind === 'bytes' ? byteSize(help) : duration(help)
}

/** Says of a flag that was given and belongs to other providers only, whose it is. */
export const foreignFlag = (given: AllGiven, form: Form, optionsOf: OptionsOf): string | undefined => {
  const own = optionsOf(form)
  for (const name of Object.keys(flagsOf(optionsOf))) {
    if (name in own || given[name] === undefined || given[name] === false) continue
    const owners = forms.filter((other) => name in optionsOf(other)).map(({ provider }) => provider)
    return `--${name} is a flag of ${owners.join(', ')}, and not of ${form.provider}`
  }
  return undefined
}

/** Throws `UsageError` for a flag that was given and belongs to other providers only. */
export const refuseForeignFlags = (given: AllGiven, form: Form, optionsOf: OptionsOf): void => {
  const foreign = foreignFlag(given, form, optionsOf)
  if (foreign !== undefined) throw new UsageError(foreign)
}

/** What the help of a command shows for each provider. */
export const examplesOf = (command: ExampleOf): readonly string[] =>
  forms.flatMap(({ examples }) => examples[command])
