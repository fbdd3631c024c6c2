import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Redis } from 'ioredis'
import { isToken, isTokenHash, tokenHash } from '#shared/data-dir.ts'
import type { App } from './context.ts'
import { sendLoginPage } from './dashboard/login-page.ts'
import { SESSION_COOKIE, type Sessions } from './dashboard/sessions.ts'
import { redisIsAway } from './failures.ts'
import { Problem } from './problem.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may come in; without it, only who brings a token. */
    access?: 'open' | 'dashboard'
  }
  interface FastifyRequest {
    /** Names the token that the request came with, without giving it away. */
    caller: string
  }
}

interface Deps {
  readonly redis: Redis
  readonly prefix: string
  /** Where the app listens. */
  readonly host: string
  readonly sessions: Sessions
}

/** Lets nobody in without a token, to no address, known or not, that does not say so itself. */
export function guard(app: App, deps: Deps): void {
  const isOurName = hostCheck(deps.host)
  app.decorateRequest('caller', '')
  app.addHook('onRequest', async (request, reply) => {
    if (!isOurName(request.headers.host)) throw new Problem(421, 'This address is not served under that name')
    const { access } = request.routeOptions.config
    if (access === 'open') return undefined
    const caller = await callerOf(deps, request)
    if (caller !== undefined) {
      request.caller = caller
      return undefined
    }
    if (access === 'dashboard') return askForToken(request, reply)
    throw new Problem(401, 'Send the header Authorization: Bearer <token>', {
      headers: { 'www-authenticate': 'Bearer' },
    })
  })
}

async function callerOf(
  { redis, prefix, sessions }: Deps,
  request: FastifyRequest,
): Promise<string | undefined> {
  const token = bearerToken(request.headers.authorization)
  if (token !== undefined) {
    mustBeReady(redis)
    return (await isToken(redis, { prefix, token })) ? tokenHash(token) : undefined
  }
  if (request.routeOptions.config.access !== 'dashboard') return undefined
  const hash = sessions.read(request.cookies[SESSION_COOKIE])
  if (hash === undefined) return undefined
  mustBeReady(redis)
  // A session ends with the token that it was opened with.
  return (await isTokenHash(redis, { prefix, hash })) ? hash : undefined
}

/** At once, rather than when ioredis has tried again. */
function mustBeReady(redis: Redis): void {
  if (redis.status !== 'ready') throw redisIsAway()
}

const bearerToken = (header: string | undefined): string | undefined =>
  /^Bearer +([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1]

async function askForToken(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const isPage = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html')
  if (isPage) return sendLoginPage(reply.code(401))
  return reply.code(401).send({ error: 'Log in at /dashboard' })
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]', '::1'])

/**
 * A page elsewhere can make its own name point here and then read our answers as its own. Who listens on
 * loopback knows all names it can rightly be called by.
 */
function hostCheck(listensOn: string): (header: string | undefined) => boolean {
  if (!LOOPBACK.has(listensOn)) return () => true
  return (header) => LOOPBACK.has(URL.parse(`http://${header ?? ''}`)?.hostname ?? '')
}
