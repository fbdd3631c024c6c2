import type { FastifyRequest } from 'fastify'
import { isToken, tokenHash } from '#shared/data-dir.ts'
import type { App, Context } from '../context.ts'
import { createBoard } from '../dashboard/board.ts'
import { sendLoginPage } from '../dashboard/login-page.ts'
import { SESSION_COOKIE, SESSION_S, type Sessions } from '../dashboard/sessions.ts'
import { Problem } from '../problem.ts'
import { createErrorHandler } from './answers.ts'

const PATH = '/dashboard'
const FORM_LIMIT = 4096

const cookieOptions = { path: PATH, httpOnly: true, sameSite: 'strict', secure: 'auto' } as const

// bull-board needs styles of its own making; its fonts from elsewhere are left out.
const CSP =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
  "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

/** The dashboard, behind a login page for the token. */
export async function dashboardRoutes(app: App, context: Context, sessions: Sessions): Promise<void> {
  const errorHandler = createErrorHandler(context.log)
  await app.register(
    async (dashboard: App) => {
      dashboard.addHook('onRoute', (route) => {
        route.config = { access: 'dashboard', ...route.config }
        route.schema = { ...route.schema, hide: true }
        // bull-board's own would answer whatever is thrown as a 500.
        route.errorHandler = errorHandler
      })
      dashboard.addContentTypeParser(
        'application/x-www-form-urlencoded',
        { parseAs: 'string', bodyLimit: FORM_LIMIT },
        async (_: unknown, body: string) => new URLSearchParams(body),
      )
      dashboard.addHook('onRequest', refuseWrites)
      loginRoutes(dashboard, context, sessions)
      await dashboard.register(async (board: App) => {
        board.addHook('onSend', async (_, reply) => {
          if (!reply.hasHeader('content-security-policy')) reply.header('content-security-policy', CSP)
          reply.header('x-content-type-options', 'nosniff')
        })
        await board.register(createBoard(PATH, context).registerPlugin())
      })
    },
    { prefix: PATH },
  )
}

/** The cookie opens nothing that changes anything, so that no other site can use it to. */
async function refuseWrites({ method, url }: FastifyRequest): Promise<void> {
  const isAllowed = method === 'GET' || method === 'HEAD' || url === `${PATH}/login`
  if (!isAllowed) throw new Problem(405, 'The dashboard only shows')
}

function loginRoutes(app: App, { redis, config: { prefix } }: Context, sessions: Sessions): void {
  app.post('/login', { config: { access: 'open' } }, async ({ body }, reply) => {
    const token = body instanceof URLSearchParams ? (body.get('token') ?? '').trim() : ''
    if (token === '' || !(await isToken(redis, { prefix, token }))) {
      return sendLoginPage(reply.code(401), 'This is not the token.')
    }
    return reply
      .setCookie(SESSION_COOKIE, sessions.open(tokenHash(token)), { ...cookieOptions, maxAge: SESSION_S })
      .redirect(PATH, 303)
  })

  app.get('/logout', async (_, reply) => sendLoginPage(reply.clearCookie(SESSION_COOKIE, cookieOptions)))
}
