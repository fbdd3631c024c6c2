import { etagCheck, findSameName, foreignWait, onForeign, onUnchanged, verify } from '../form-options.ts'
import { defineUpload, type AccountForm, type Form, type Given, type NamedFile } from '../form.ts'

const account: AccountForm = {
  fields: [
    {
      name: 'baseUrl',
      flag: 'base-url',
      help: 'address of the site, such as https://drive.example.org',
      value: 'URL',
      question: 'Address of the Cloudreve site, such as https://drive.example.org:',
      is: 'needed',
    },
    {
      name: 'email',
      flag: 'email',
      help: 'e-mail address of the user',
      value: 'ADDRESS',
      question: 'E-mail address of the user:',
      env: 'CLOUDREVE_EMAIL',
      by: 'password',
      is: 'needed',
    },
    {
      name: 'password',
      flag: 'password',
      help: 'the password',
      question: 'Password of the user:',
      env: 'CLOUDREVE_PASSWORD',
      isSecret: true,
      by: 'password',
      is: 'needed',
    },
    {
      name: 'totpSecret',
      flag: 'totp-secret',
      help: 'the TOTP secret',
      question: 'TOTP secret of the authenticator (Enter for none; codes are asked for then):',
      env: 'CLOUDREVE_TOTP_SECRET',
      isSecret: true,
      by: 'password',
      is: 'wanted',
    },
    {
      name: 'refreshToken',
      flag: 'refresh-token',
      help: 'the refresh token',
      question: 'Refresh token:',
      env: 'CLOUDREVE_REFRESH_TOKEN',
      isSecret: true,
      by: 'import',
      is: 'needed',
    },
    {
      name: 'purchaseTicket',
      flag: 'purchase-ticket',
      help: 'the purchase ticket of a Pro site',
      question: 'Purchase ticket:',
      env: 'CLOUDREVE_PURCHASE_TICKET',
      isSecret: true,
      is: 'given',
    },
  ],
  settings: { 'on-foreign': onForeign, 'foreign-wait': foreignWait, 'etag-check': etagCheck },
  codes: {
    totp: { question: 'Code of the authenticator:' },
    captcha: { question: 'What the picture shows:', isSent: true, isOnce: true },
  },
  codeEnv: 'CLOUDREVE_CODE',
}

const options = {
  to: {
    kind: 'text',
    value: 'URI',
    help: 'where to, such as cloudreve://my/backups/; one that ends with / takes the name of each file',
  },
  'on-conflict': {
    kind: 'choice',
    choices: ['version', 'fail', 'rename', 'skip'],
    help: 'when another file is there: a new version of it unless given',
  },
  policy: { kind: 'text', value: 'ID', help: 'storage policy, on sites that let users choose' },
  metadata: { kind: 'list', value: 'KEY=VALUE', help: 'of the file, such as customize:build=42' },
  'on-unchanged': onUnchanged,
  verify,
} as const

type Upload = Given<typeof options>

const problem = (given: Upload, files: readonly NamedFile[]): string | undefined => {
  const { to, metadata = [] } = given
  if (to === undefined) return '--to is missing: where the files go, such as cloudreve://my/backups/'
  const unnamed = metadata.find((pair) => pair.indexOf('=') < 1)
  if (unnamed !== undefined) return `--metadata is KEY=VALUE, not ${JSON.stringify(unnamed)}`
  return isFolder(to) ? problemInFolder(to, files) : problemAsFile(to, files)
}

/** As the provider takes it apart: also a root without its slash. */
const isFolder = (to: string): boolean => /\/$|^cloudreve:\/\/[^/]*$/i.test(to)

const problemAsFile = (to: string, { length }: readonly NamedFile[]): string | undefined =>
  length > 1
    ? `--to ${to} is one file, and these are several: end it with / for a folder that all of them go to`
    : undefined

const problemInFolder = (to: string, files: readonly NamedFile[]): string | undefined => {
  const same = findSameName(files, ({ name }) => name)
  if (same === undefined) return undefined
  return `${same.files.join(' and ')} would both become ${to}${same.name}: upload them apart, each with its own --to`
}

const request = (given: Upload): Readonly<Record<string, unknown>> => ({
  destination: {
    uri: given.to,
    onConflict: given['on-conflict'],
    policyId: given.policy,
    metadata: given.metadata && pairsOf(given.metadata),
  },
  onUnchanged: given['on-unchanged'],
  verify: given.verify,
})

/** Of one key given twice the last value holds. */
const pairsOf = (texts: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    texts.map((text) => {
      const end = text.indexOf('=')
      return [text.slice(0, end), text.slice(end + 1)]
    }),
  )

/** Cloudreve, as people are asked for it. */
export const cloudreve: Form = {
  provider: 'cloudreve',
  account,
  upload: defineUpload({ options, problem, request, isOnePlace: () => false, cutBy: 'the site' }),
  remote: {
    list: {},
    folder: 'URI of the folder; that of all your files unless given',
    isFile: (name) => /^cloudreve:\/\//i.test(name),
    looks: 'cloudreve://my/backups/world.zip',
    readVersion: (written) =>
      /^[\w.-]{1,100}$/.test(written)
        ? { version: written }
        : { must: 'is the id of a version, as `stevedore files` lists them' },
  },
  examples: {
    'account add': [
      'stevedore account add cloudreve drive --base-url https://drive.example.org',
      'CLOUDREVE_REFRESH_TOKEN=eyJ… stevedore account add cloudreve drive --base-url https://drive.example.org --refresh-token',
    ],
    upload: [
      'stevedore upload backups/*.zip --account drive --to cloudreve://my/backups/ --on-conflict rename',
      'stevedore upload a.zip --account drive --to cloudreve://my/latest.zip --metadata customize:build=42',
      'stevedore upload a.zip --to cloudreve://my/latest.zip --dry-run',
    ],
    versions: ['stevedore versions cloudreve://my/latest.zip --account drive'],
    files: ['stevedore files cloudreve://my/backups --account drive'],
    download: ['stevedore download cloudreve://my/latest.zip kYLmTq --account drive -o latest.zip'],
    delete: [
      'stevedore delete cloudreve://my/latest.zip kYLmTq --account drive',
      'stevedore delete cloudreve://my/latest.zip --account drive --yes',
    ],
  },
}
