import cookie from '@fastify/cookie'
import Fastify from 'fastify'
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import { type App, type AppDeps, type Context, createContext } from './context.ts'
import { createSessions } from './dashboard/sessions.ts'
import { guard } from './guard.ts'
import { Problem } from './problem.ts'
import { accountRoutes } from './routes/accounts.ts'
import { createErrorHandler, sendProblem } from './routes/answers.ts'
import { dashboardRoutes } from './routes/dashboard.ts'
import { docsRoutes, documentRoutes } from './routes/docs.ts'
import { fileRoutes } from './routes/files.ts'
import { healthRoutes } from './routes/health.ts'
import { loginRoutes } from './routes/logins.ts'
import { uploadRoutes } from './routes/uploads.ts'
import { versionRoutes } from './routes/versions.ts'
import { createRouteTable } from './route-table.ts'
import { validatorCompiler } from './validation.ts'
import { ownVersion } from './version.ts'

const BODY_LIMIT = 1024 * 1024
/** From the first byte of a request to its last; its answer may take longer. */
const REQUEST_MS = 30_000
const HEADERS_MS = 15_000
/** How often connections are looked at for the two above. */
const LOOK_MS = 5000

/** The HTTP app, not listening. */
export async function createApp(deps: AppDeps): Promise<App> {
  const context = createContext(deps)
  const sessions = createSessions(deps.secrets)
  const app = openApp()
  readJson(app)
  answerErrors(app, deps.log)
  logRequests(app, deps.log)
  await app.register(cookie)
  guard(app, { ...context.config, redis: context.redis, sessions })
  await documentRoutes(app, ownVersion())
  await addRoutes(app, context)
  await docsRoutes(app)
  await dashboardRoutes(app, context, sessions)
  return app
}

function openApp(): App {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_MS,
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: LOOK_MS },
    exposeHeadRoutes: false,
    // Node takes no longer addresses anyhow; what is too long for a route is for its schema to say.
    routerOptions: { maxParamLength: 16 * 1024 },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  return app
}

/** JSON and nothing else, but no body where none is needed, whatever the header says. */
function readJson(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body, done)
  })
}

function answerErrors(app: App, log: Logger): void {
  const routes = createRouteTable(app)
  app.setErrorHandler(createErrorHandler(log))
  app.setNotFoundHandler(async ({ method, url }, reply) => {
    const allowed = routes.methodsOf(url)
    if (allowed.length === 0) return sendProblem(reply, new Problem(404, 'There is nothing at this address'))
    const headers = { allow: allowed.join(', ') }
    return sendProblem(reply, new Problem(405, `This address does not take ${method}`, { headers }))
  })
}

function logRequests(app: App, log: Logger): void {
  app.addHook('onResponse', async ({ method, routeOptions }, reply) => {
    // The route and not the address, which may hold whatever somebody put there.
    const { statusCode: status, elapsedTime } = reply
    log.debug({ method, route: routeOptions.url, status, ms: Math.round(elapsedTime) }, 'request')
  })
}

async function addRoutes(app: App, context: Context): Promise<void> {
  for (const add of [healthRoutes, accountRoutes, loginRoutes, fileRoutes, uploadRoutes, versionRoutes]) {
    add(app, context)
  }
}
