import { z } from 'zod'
import { type Endpoints, commonEndpoints } from '../http/control.ts'
import type { FakeVrchat } from './fake-vrchat.ts'

const userSchema = z.strictObject({
  username: z.string(),
  password: z.string(),
  secondFactor: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('none') }),
      z.strictObject({ kind: z.literal('totp'), secret: z.string() }),
      z.strictObject({ kind: z.literal('emailOtp'), code: z.string() }),
    ])
    .default({ kind: 'none' }),
  recoveryCodes: z.array(z.string()).default([]),
})

const versionSchema = z.strictObject({ fileId: z.string(), version: z.int() })

/** The fake's insides for other processes. */
export const endpoints: Endpoints<FakeVrchat> = {
  ...commonEndpoints,
  'GET /state': (fake) => ({
    files: fake.files,
    openVersions: fake.openVersions(),
    maxOpenVersions: fake.maxOpenVersions,
  }),
  'GET /accounts': (fake, _, url) => fake.accountStats(url.searchParams.get('user') ?? ''),
  'POST /expire-sessions': (fake) => {
    fake.expireSessions()
    return { ok: true }
  },
  'POST /tamper': async (fake, body) => {
    const { fileId, version } = versionSchema.parse(body)
    await fake.tamper(fileId, version)
    return { ok: true }
  },
  'POST /users': (fake, body) => {
    fake.addUser(userSchema.parse(body))
    return { ok: true }
  },
}
