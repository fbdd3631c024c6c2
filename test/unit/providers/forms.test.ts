import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { accountOptions, importOptions } from '#producer/cli/account-options.ts'
import { forms } from '#shared/providers/forms.ts'
import { type OptionsOf } from '#producer/cli/forms.ts'
import type { Option, Options } from '#shared/providers/form.ts'
import { createProviderList } from '#shared/providers/index.ts'

const providers = createProviderList()
const named = providers.map((provider) => {
  const form = forms.find((form) => form.provider === provider.name)
  if (form === undefined) throw new Error(`${provider.name} has no form`)
  return [provider.name, { provider, form }] as const
})

test('every provider has a form, in the same order', () => {
  expect(forms.map(({ provider }) => provider)).toEqual(providers.map(({ name }) => name))
})

/** All of an option but its words. */
const meaningOf = (option: Option): Record<string, unknown> => ({
  ...option,
  help: undefined,
  name: undefined,
})

test.each<[string, OptionsOf]>([
  ['upload', ({ upload }) => upload.options],
  ['account add', accountOptions],
  ['account login', importOptions],
  ['files', ({ remote }) => remote.list],
])('a flag of `%s` that several providers have is of one kind', (_, optionsOf) => {
  const seen = new Map<string, Record<string, unknown>>()
  for (const [name, option] of forms.flatMap((form) => Object.entries(optionsOf(form)))) {
    expect(meaningOf(option), name).toEqual(seen.get(name) ?? meaningOf(option))
    seen.set(name, meaningOf(option))
  }
  expect(seen.size).toBeGreaterThan(0)
})

/** One of everything that can be given. */
const everything = (options: Options): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).map(([name, option]) => [name, valueOf(name, option)]))

const samples: Readonly<Record<string, unknown>> = {
  to: 'cloudreve://my/a/',
  policy: '4mIL',
  metadata: ['customize:a=b'],
  'mime-type': 'a/b',
  extension: '.zip',
}

const valueOf = (name: string, option: Option): unknown => {
  if (name in samples) return samples[name]
  if (option.kind === 'choice') return option.choices[0]
  if (option.kind === 'list') return ['x']
  if (option.kind === 'text') return 'x'
  return option.kind === 'toggle' ? true : 3_600_000
}

describe.each(named)('%s', (_, { provider, form }) => {
  test('takes all that its form can ask of an upload', () => {
    const given = { ...everything(form.upload.options), 'file-id': undefined }
    const file = { file: 'x/a.zip', name: 'a.zip' }

    expect(form.upload.problem(given, [file])).toBeUndefined()
    expect(provider.uploadRequest.parse(form.upload.request(given, file))).toMatchObject({
      destination: expect.anything(),
      verify: 'download',
      onUnchanged: 'skip',
    })
  })

  test('takes the choices that its form offers', () => {
    const file = { file: 'a', name: 'a' }
    const all = everything(form.upload.options)
    for (const [name, option] of Object.entries(form.upload.options)) {
      if (option.kind !== 'choice') continue
      for (const choice of option.choices) {
        const request = form.upload.request({ ...all, 'file-id': undefined, [name]: choice }, file)
        expect(provider.uploadRequest.safeParse(request).error, `--${name} ${choice}`).toBeUndefined()
      }
    }
  })

  test('knows the name of everything that its form asks of an account', () => {
    const { fields, settings, notice } = form.account
    const names = [...fields, ...Object.values(settings), ...(notice === undefined ? [] : [notice])]

    const known = Object.keys(provider.accountRequest.shape)
    expect(known).toEqual(expect.arrayContaining(names.map(({ name }) => name)))
  })

  test('calls secret what its form calls secret', () => {
    const secret = form.account.fields.filter(({ isSecret }) => isSecret).map(({ name }) => name)
    const settings = Object.keys(provider.settings.shape)

    expect(secret.filter((name) => settings.includes(name))).toEqual([])
    expect(Object.keys(provider.credentials.shape)).toEqual(expect.arrayContaining(secret))
  })

  test('is asked for one login made elsewhere, and has a first method for codes', () => {
    expect(form.account.fields.filter(({ by }) => by === 'import')).toHaveLength(1)
    expect(Object.keys(form.account.codes)[0]).toBe('totp')
  })
})

test.each(['src/producer', 'src/worker'])('nothing in %s knows which provider it is', (folder) => {
  const root = resolve(import.meta.dirname, '../../..', folder)
  const words = new RegExp(forms.map(({ provider }) => provider).join('|'), 'i')
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  )

  expect(files.length).toBeGreaterThan(10)
  expect(files.filter((file) => words.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
})
