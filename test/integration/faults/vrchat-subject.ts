import { createVrchat } from '#shared/providers/vrchat/index.ts'
import { differs } from '../../support/kill/end-state.ts'
import { openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { PART_SIZE, TOTP_SECRET } from './calls.ts'
import type { VrchatCall } from './calls.ts'
import { steady } from './patience.ts'
import type { Seen, Subject } from './subject.ts'
import type { Trouble } from './troubles.ts'

const PASSWORD = 'lovelace-1815'

const quick = { timing: { lagMs: 30, retryMs: 20, codeMs: 20 } }
/** Only the watchdog notices what stands still: every other bound is longer than the test. */
const watched = {
  timing: { ...quick.timing, apiMs: 600_000, statusMs: 600_000 },
  http: { stallMs: 3000, answerMs: 3000 },
}

const env = {
  // The first pause after a login without an answer is a thirtieth of it.
  STEVEDORE_LOGIN_BUDGET_MS: '6000',
  ...steady,
}

/** VRChat under fire. */
export const vrchat: Subject<VrchatCall, Service> = {
  account: 'main',
  // Three whole parts and a rest.
  size: 3 * PART_SIZE + 1234,
  partSize: PART_SIZE,
  open: async (call, trouble, log) => {
    await using resources = new AsyncDisposableStack()
    const provider = resources.use(createVrchat(trouble.stalls === true ? watched : quick))
    const service = resources.use(
      await openService({ ...accountOf(call, trouble), providers: [provider], log, env }),
    )
    const owned = resources.move()
    return { ...service, [Symbol.asyncDispose]: async () => owned.disposeAsync() }
  },
  begin: async (service, call, content) => call.begin(service, content),
  needed: () => needed,
  isDone: ({ decided }) => decided === 200,
  isPart: ({ operation }) => operation === 'putPart',
  unfinished: async ({ fake }) => differs('open versions', fake.openVersions(), []),
  wrongVersion,
  leftovers: async ({ fake }) => differs('Files', fake.files, []),
  declared: ({ fake }) => {
    const blobs = fake.files.flatMap(({ versions }) =>
      versions.flatMap(({ file, signature }) => [file, signature]),
    )
    const sent = blobs.filter((blob) => blob !== undefined && blob.received > 0)
    return sent.reduce((sum, blob) => sum + (blob?.declaredSize ?? 0), 0)
  },
  canaries: (service) => [
    ...service
      .requests('putPart')
      .map(({ rawUrl }) => new URLSearchParams(rawUrl.split('?')[1]).get('X-Amz-Signature') ?? '')
      .filter((value) => value !== '')
      .map((value) => ({ name: 'a signature', value })),
    { name: 'the password', value: PASSWORD },
    { name: 'the TOTP secret', value: TOTP_SECRET },
    { name: 'a cookie', value: 'authcookie_' },
  ],
}

function accountOf({ account = {} }: VrchatCall, { pause }: Trouble) {
  const secondFactor = { kind: 'totp' as const, secret: TOTP_SECRET }
  const user = { username: 'ada', password: PASSWORD }
  return {
    fake: {
      users: [{ ...user, ...(account.secondFactor && { secondFactor }) }],
      multipartThreshold: PART_SIZE,
      minPartSize: 1,
    },
    credentials: { ...user, ...(account.secondFactor && { totpSecret: TOTP_SECRET }) },
    ...(account.settings && { settings: account.settings }),
    // One thing at a time, where not one more may follow.
    ...(pause && { limits: { callsAtOnce: 1, partsAtOnce: 1 } }),
  }
}

const needed = {
  login: 1,
  verifyTotp: 0,
  createFile: 1,
  createFileVersion: 1,
  finishFileDataUpload: 2,
  deleteFileVersion: 0,
  deleteFile: 0,
}

async function wrongVersion({ service, record, call, sha256 }: Seen<VrchatCall, Service>): Promise<string[]> {
  const { fake } = service
  const { version = 1 } = call
  const { remoteId = '' } = record.version ?? {}
  const complete = fake.files.flatMap((file) =>
    file.versions.filter(({ version, status }) => version > 0 && status === 'complete').map(() => file.id),
  )
  const arrived = await fake.sha256Of(remoteId, version, 'file').catch((error: unknown) => String(error))
  return [
    ...differs('number of Files', fake.files.length, 1),
    ...differs('complete versions', complete.length, version === 1 ? 1 : 2),
    ...differs('version', record.version?.number, version),
    ...differs('SHA-256 of what arrived', arrived, sha256),
  ]
}
