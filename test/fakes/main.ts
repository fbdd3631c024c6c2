import { parseArgs } from 'node:util'
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
  },
})

const demoUser: UserSpec = {
  username: 'demo',
  password: 'demo-password',
  secondFactor: secondFactor(values['second-factor']),
  recoveryCodes: ['abcd-1234', 'efgh-5678'],
}

await using fake = await startFakeVrchat(options())
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
  const directory = values.directory ?? process.env['FAKE_VRCHAT_DIRECTORY']
  return {
    ...Object.fromEntries(given),
    ...(directory === undefined ? {} : { directory }),
    verifyContent: !values['skip-content-check'],
    keepContent: !values['forget-content'],
    users: [demoUser],
  }
}

/** A flag wins over its variable: `--storage-port` over FAKE_VRCHAT_STORAGE_PORT. */
function number(name: keyof typeof values): number | undefined {
  const variable = `FAKE_VRCHAT_${name.toUpperCase().replaceAll('-', '_')}`
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
    console.log(JSON.stringify({ baseUrl, storageUrl, controlUrl, pid: process.pid, user: demoUser }))
    return
  }
  console.log(`VRChat   ${baseUrl}`)
  console.log(`storage  ${storageUrl}`)
  console.log(`control  ${controlUrl}`)
  console.log(
    `user     ${demoUser.username} / ${demoUser.password}, ${JSON.stringify(demoUser.secondFactor)}`,
  )
  console.log(`try      npx stevedore account add vrchat me --base-url ${baseUrl}`)
}
