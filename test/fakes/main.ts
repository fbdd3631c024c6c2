import { parseArgs } from 'node:util'
import { everyPolicy } from './cloudreve/every-policy.ts'
import { type FakeCloudreveOptions, type PolicySpec, startFakeCloudreve } from './cloudreve/server.ts'
import { openStores } from './cloudreve/stores/index.ts'
import { type FakeVrchatOptions, type UserSpec, startFakeVrchat } from './vrchat/server.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    'second-factor': { type: 'string', default: 'totp' },
    port: { type: 'string' },
    'storage-port': { type: 'string' },
    'multipart-threshold': { type: 'string' },
    'min-part-size': { type: 'string' },
    'url-lifetime-ms': { type: 'string' },
    'processing-ms': { type: 'string' },
    'stale-read-ms': { type: 'string' },
    'storage-bytes-per-second': { type: 'string' },
    'max-sessions': { type: 'string' },
    'max-concurrent-calls': { type: 'string' },
    directory: { type: 'string' },
    'skip-content-check': { type: 'boolean', default: false },
    'forget-content': { type: 'boolean', default: false },
    'cloudreve-port': { type: 'string' },
    'cloudreve-version': { type: 'string', default: '4.18.0' },
    'cloudreve-chunk-size': { type: 'string' },
    'cloudreve-concurrency': { type: 'string' },
  },
})

const demoUser: UserSpec = {
  username: 'demo',
  password: 'demo-password',
  secondFactor: secondFactor(values['second-factor']),
  recoveryCodes: ['abcd-1234', 'efgh-5678'],
}

const cloudreveUser = { email: 'demo@example.org', password: 'demo-password' }

await using fake = await startFakeVrchat(options())
await using cloudreve = await startFakeCloudreve(cloudreveOptions())
announce()
await stopped()

/** Under npm one Ctrl-C arrives twice; the second must not end the clearing up. */
async function stopped(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.on('SIGTERM', () => resolve())
    process.on('SIGINT', () => resolve())
  })
}

function options(): FakeVrchatOptions {
  const numbers = {
    port: number('port') ?? 7071,
    storagePort: number('storage-port') ?? 7072,
    multipartThreshold: number('multipart-threshold'),
    minPartSize: number('min-part-size'),
    urlLifetimeMs: number('url-lifetime-ms'),
    processingMs: number('processing-ms'),
    staleReadMs: number('stale-read-ms'),
    storageBytesPerSecond: number('storage-bytes-per-second'),
    maxSessions: number('max-sessions'),
    maxConcurrentCalls: number('max-concurrent-calls'),
  }
  const given = Object.entries(numbers).filter(([, value]) => value !== undefined)
  return {
    ...Object.fromEntries(given),
    ...folder(),
    verifyContent: !values['skip-content-check'],
    keepContent: !values['forget-content'],
    users: [demoUser],
  }
}

/** Whoever wants any free port for the one fake wants it for the other. */
function cloudreveOptions(): FakeCloudreveOptions {
  return {
    port: number('cloudreve-port') ?? (number('port') === 0 ? 0 : 7073),
    version: values['cloudreve-version'],
    ...folder(),
    keepContent: !values['forget-content'],
    users: [cloudreveUser],
    policies: policies(),
    stores: openStores,
  }
}

/** With the chunks that were asked for, in bytes, and so many of them at once. */
function policies(): PolicySpec[] {
  const chunkSize = number('cloudreve-chunk-size')
  const chunkConcurrency = number('cloudreve-concurrency')
  return everyPolicy.map((policy) => ({
    ...policy,
    ...(chunkSize !== undefined && { chunkSize }),
    ...(chunkConcurrency !== undefined && { chunkConcurrency }),
  }))
}

/** Where what arrives is kept. */
function folder(): { directory?: string } {
  const directory = values.directory ?? process.env['FAKE_VRCHAT_DIRECTORY']
  return directory === undefined ? {} : { directory }
}

/** A flag wins over its variable: `--storage-port` over FAKE_VRCHAT_STORAGE_PORT. */
function number(name: keyof typeof values): number | undefined {
  const shouted = name.toUpperCase().replaceAll('-', '_')
  const variable = name.startsWith('cloudreve-') ? `FAKE_${shouted}` : `FAKE_VRCHAT_${shouted}`
  const text = values[name] ?? process.env[variable]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (Number.isNaN(value)) throw new Error(`--${name} and ${variable} take a number, not ${text}`)
  return value
}

function secondFactor(kind: string): NonNullable<UserSpec['secondFactor']> {
  if (kind === 'none') return { kind }
  if (kind === 'emailOtp') return { kind, code: '123456' }
  if (kind === 'totp') return { kind, secret: 'JBSWY3DPEHPK3PXP' }
  throw new Error(`--second-factor is none, totp or emailOtp, not ${kind}`)
}

function announce(): void {
  const { baseUrl, storageUrl, controlUrl } = fake
  if (values.json) {
    const site = { baseUrl: cloudreve.baseUrl, controlUrl: cloudreve.controlUrl, user: cloudreveUser }
    const facts = { baseUrl, storageUrl, controlUrl, pid: process.pid, user: demoUser, cloudreve: site }
    console.log(JSON.stringify(facts))
    return
  }
  console.log(`VRChat   ${baseUrl}`)
  console.log(`storage  ${storageUrl}`)
  console.log(`control  ${controlUrl}`)
  console.log(
    `user     ${demoUser.username} / ${demoUser.password}, ${JSON.stringify(demoUser.secondFactor)}`,
  )
  console.log(`try      npx stevedore account add vrchat me --base-url ${baseUrl}`)
  announceCloudreve()
}

function announceCloudreve(): void {
  const folders = everyPolicy.flatMap(({ folder }) => (folder === undefined ? [] : `${folder}/`))
  console.log('')
  console.log(`Cloudreve ${cloudreve.baseUrl}, version ${values['cloudreve-version']}`)
  console.log(`control  ${cloudreve.controlUrl}`)
  console.log(`user     ${cloudreveUser.email} / ${cloudreveUser.password}`)
  console.log(`stores   below cloudreve://my in ${folders.join(' ')}; local everywhere else`)
  console.log(`try      npx stevedore account add cloudreve drive --base-url ${cloudreve.baseUrl}`)
}
