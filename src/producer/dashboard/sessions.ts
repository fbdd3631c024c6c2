import { z } from 'zod'
import type { Secrets } from '#shared/secrets.ts'

export const SESSION_COOKIE = 'stevedore_session'
/** A working day. */
export const SESSION_S = 12 * 60 * 60

const OWNER = 'dashboard-session'
const content = z.object({ token: z.string(), until: z.number() })

export interface Sessions {
  /** A cookie's value for whoever brought the token with this hash. */
  readonly open: (token: string) => string
  /** The hash of the token that the session was opened with; undefined when it is over, or not ours. */
  readonly read: (cookie: string | undefined) => string | undefined
}

/**
 * Logins to the dashboard, kept by the browser alone: sealed with the service's key, so they can be neither
 * made nor changed elsewhere, and every process of the service knows them.
 */
export const createSessions = (secrets: Secrets, now: () => number = Date.now): Sessions => ({
  open: (token) => secrets.encrypt(JSON.stringify({ token, until: now() + SESSION_S * 1000 }), OWNER),
  read: (cookie) => {
    const { token, until } = opened(secrets, cookie) ?? { until: 0 }
    return until > now() ? token : undefined
  },
})

function opened(secrets: Secrets, cookie = ''): z.infer<typeof content> | undefined {
  try {
    return content.parse(JSON.parse(secrets.decrypt(cookie, OWNER)))
  } catch {
    return undefined
  }
}
