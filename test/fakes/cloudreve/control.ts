import { z } from 'zod'
import { type Endpoints, commonEndpoints } from '../http/control.ts'
import type { FakeCloudreve } from './fake-cloudreve.ts'

const userSchema = z.strictObject({
  email: z.string(),
  password: z.string(),
  totpSecret: z.string().exactOptional(),
  quota: z.number().exactOptional(),
  versionRetention: z.boolean().exactOptional(),
})

const switchesSchema = z.strictObject({
  spuriousConflicts: z.int().exactOptional(),
  failCompletions: z.int().exactOptional(),
  failCallbacks: z.int().exactOptional(),
})

const restartSchema = z.strictObject({ sessions: z.enum(['kept', 'lost']).default('kept') }).default({
  sessions: 'kept',
})

const ok = { ok: true }

/** The fake's insides for other processes. */
export const endpoints: Endpoints<FakeCloudreve> = {
  ...commonEndpoints,
  'GET /state': async (fake) => ({
    files: await fake.files(),
    placeholders: fake.placeholders(),
    sessions: fake.openSessions(),
    unfinished: Object.fromEntries(fake.stores.map(({ kind, unfinished }) => [kind, unfinished()])),
  }),
  'GET /placeholders': (fake) => fake.placeholders(),
  'GET /sessions': (fake) => fake.openSessions(),
  'GET /accounts': (fake, _, url) => fake.accountStats(url.searchParams.get('user') ?? ''),
  'POST /expire-tokens': (fake) => {
    fake.expireTokens()
    return ok
  },
  'POST /revoke-logins': (fake) => {
    fake.revokeLogins()
    return ok
  },
  'POST /expire-sessions': async (fake) => {
    await fake.expireSessions()
    return ok
  },
  'POST /restart': (fake, body) => {
    fake.restart(restartSchema.parse(body))
    return ok
  },
  'POST /switches': (fake, body) => Object.assign(fake.switches, switchesSchema.parse(body)),
  'POST /tamper': (fake, body) => {
    fake.tamper(z.strictObject({ uri: z.string() }).parse(body).uri)
    return ok
  },
  'POST /users': (fake, body) => {
    fake.addUser(userSchema.parse(body))
    return ok
  },
}
