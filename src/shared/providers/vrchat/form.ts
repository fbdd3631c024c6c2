import { etagCheck, findSameName, foreignWait, onForeign, onUnchanged, verify } from '../form-options.ts'
import { defineUpload, type AccountForm, type Form, type Given, type NamedFile } from '../form.ts'

const account: AccountForm = {
  notice: {
    text: `VRChat's creator guidelines restrict third-party software that uploads on a user's behalf, and VRChat may
act against accounts that use it. Stevedore is not made or approved by VRChat. Use it with your own account
and your own content only, keep its limits gentle, and read https://hello.vrchat.com/creator-guidelines first.`,
    flag: 'acknowledge',
    help: 'you have read what the provider says about software like this; else asked for',
    name: 'acknowledged',
  },
  fields: [
    {
      name: 'username',
      flag: 'username',
      help: 'user name or e-mail address',
      value: 'NAME',
      question: 'VRChat user name or e-mail address:',
      env: 'VRCHAT_USERNAME',
      by: 'password',
      is: 'needed',
    },
    {
      name: 'password',
      flag: 'password',
      help: 'the password',
      question: 'VRChat password:',
      env: 'VRCHAT_PASSWORD',
      isSecret: true,
      by: 'password',
      is: 'needed',
    },
    {
      name: 'totpSecret',
      flag: 'totp-secret',
      help: 'the TOTP secret',
      question: 'TOTP secret of the authenticator (Enter for none; codes are asked for then):',
      env: 'VRCHAT_TOTP_SECRET',
      isSecret: true,
      by: 'password',
      is: 'wanted',
    },
    {
      name: 'authCookie',
      flag: 'cookie',
      help: 'the auth cookie',
      question: 'Value of the auth cookie:',
      env: 'VRCHAT_AUTH_COOKIE',
      isSecret: true,
      by: 'import',
      is: 'needed',
    },
    {
      name: 'apiKey',
      flag: 'api-key',
      help: 'the old apiKey cookie',
      question: 'Value of the apiKey cookie:',
      env: 'VRCHAT_API_KEY',
      isSecret: true,
      is: 'given',
    },
    {
      name: 'contact',
      flag: 'contact',
      help: 'e-mail address or URL where the provider can reach you',
      value: 'ADDRESS',
      question: 'E-mail address or URL where VRChat can reach you (sent with every request):',
      is: 'needed',
    },
  ],
  settings: {
    'base-url': { kind: 'text', value: 'URL', help: 'another server with the same API', name: 'baseUrl' },
    'on-foreign': onForeign,
    'foreign-wait': foreignWait,
    'etag-check': etagCheck,
  },
  codes: {
    totp: { question: 'Code of the authenticator:' },
    emailOtp: { question: 'Code from the e-mail that VRChat sent:', isSent: true },
    otp: { question: 'One of the recovery codes:' },
  },
  codeEnv: 'VRCHAT_CODE',
}

const options = {
  'file-id': { kind: 'text', value: 'FILE_ID', help: 'a new version of this File' },
  name: {
    kind: 'text',
    value: 'NAME',
    help: 'a new version of the File with this name, made if there is none; else the name of the file',
  },
  'new-file': { kind: 'toggle', help: 'always make a new File, also when there is one with that name' },
  'mime-type': { kind: 'text', value: 'TYPE', help: 'of a File that is made; else by its extension' },
  extension: { kind: 'text', value: '.EXT', help: "of a File that is made; else the file's own" },
  tag: { kind: 'list', value: 'TAG', help: 'of a File that is made' },
  'part-size': { kind: 'bytes', help: 'size of the parts, such as 32M' },
  'on-unchanged': onUnchanged,
  verify,
} as const

type Upload = Given<typeof options>

/** Flags that contradict each other, and files that would become versions of one another by their names alone. */
const problem = (given: Upload, files: readonly NamedFile[]): string | undefined => {
  if (given['file-id'] !== undefined) return problemOfId(given, files)
  if (given.name !== undefined || given['new-file']) return undefined
  const same = findSameName(files, ({ name }) => name.normalize('NFC'))
  if (same === undefined) return undefined
  return (
    `${same.files.join(' and ')} would both become versions of the File ${same.name}: ` +
    'upload them apart, each with its own --name'
  )
}

const problemOfId = (given: Upload, { length }: readonly NamedFile[]): string | undefined => {
  for (const name of ['name', 'mime-type', 'extension', 'tag', 'new-file'] as const) {
    if (given[name] === undefined || given[name] === false) continue
    return `--${name} belongs to a File that is made, and --file-id names one that there is`
  }
  return length > 1 ? '--file-id is one File, and these are several files: upload them one by one' : undefined
}

const request = (given: Upload, { name }: NamedFile): Readonly<Record<string, unknown>> => ({
  destination: {
    fileId: given['file-id'],
    name: given['file-id'] === undefined ? (given.name ?? name) : undefined,
    mimeType: given['mime-type'],
    extension: given.extension,
    tags: given.tag,
  },
  newFile: given['new-file'] || undefined,
  onUnchanged: given['on-unchanged'],
  partSize: given['part-size'],
  verify: given.verify,
})

/** VRChat, as people are asked for it. */
export const vrchat: Form = {
  provider: 'vrchat',
  account,
  upload: defineUpload({
    options,
    problem,
    request,
    isOnePlace: (given) => given.name !== undefined || given['file-id'] !== undefined,
  }),
  remote: {
    list: { tag: { kind: 'text', value: 'TAG', help: 'only those with this tag' } },
    isFile: (name) => name.startsWith('file_'),
    looks: 'file_0a1b…',
    readVersion: (written) =>
      /^\d{1,9}$/.test(written)
        ? { version: Number(written) }
        : { must: 'is a whole number from 0 to 999999999' },
  },
  examples: {
    'account add': [
      'stevedore account add vrchat main',
      'printf "%s\\n" "$PASSWORD" | stevedore account add vrchat main --username me --contact me@my.site --password-stdin --acknowledge',
      'VRCHAT_AUTH_COOKIE=authcookie_… stevedore account add vrchat main --cookie --contact me@my.site --acknowledge',
    ],
    upload: [
      'stevedore upload build/world.vrcw --account main --wait',
      'stevedore upload *.vrca --account main --json',
      'stevedore upload world.vrcw --account main --file-id file_0a1b… --on-unchanged upload',
      'stevedore upload world.vrcw --provider vrchat --dry-run',
    ],
    versions: ['stevedore versions file_0a1b… --account main', 'stevedore versions world.vrcw'],
    files: ['stevedore files --account main --tag avatar --offset 100'],
    download: [
      'stevedore download file_0a1b… 3 --account main -o world.vrcw',
      'stevedore download file_0a1b… 3 -o - | sha256sum',
    ],
    delete: [
      'stevedore delete file_0a1b… 3 --account main',
      'stevedore delete file_0a1b… --account main --yes',
    ],
  },
}
