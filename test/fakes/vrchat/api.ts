import type { Outcome } from '../http/exchange.ts'
import { Refusal, type Reply, json } from '../http/replies.ts'
import { authRoutes } from './auth-routes.ts'
import { readJson } from './bodies.ts'
import type { Core, Exchange } from './core.ts'
import { fileRoutes } from './file-routes.ts'
import type { LedgerEntry, Operation, Target } from './ledger.ts'
import { plainRefusal, unknownRoute } from './replies.ts'

const handlers: Partial<
  Record<Operation, (core: Core, exchange: Exchange, body: unknown) => Outcome | Promise<Outcome>>
> = { ...authRoutes, ...fileRoutes }

/** The fake API behind its edge: first who calls, then what for. */
export async function processApi(core: Core, exchange: Exchange): Promise<Outcome> {
  const outcome = await route(core, exchange).catch((error: unknown) => {
    if (error instanceof Refusal) return error.reply
    throw error
  })
  if (outcome === 'hang') return outcome
  return { ...outcome, headers: { ...standardHeaders(exchange.entry), ...outcome.headers } }
}

async function route(core: Core, exchange: Exchange): Promise<Outcome> {
  const { request, entry } = exchange
  const body = await readJson(request, entry)
  checkUserAgent(core, exchange)
  if (exchange.identity.basic !== undefined && entry.operation !== 'login') {
    core.violations.push(`${entry.operation}: the password was sent along`)
  }
  const handler = handlers[entry.operation]
  if (handler === undefined) throw unknownRoute()
  return handler(core, exchange, body)
}

export function apiFaultReply(status: number): Reply {
  const messages: Record<number, string> = {
    401: '"Missing Credentials"',
    429: 'Too many requests\u201a you are going too quickly\u2024 Please slow down\u2024',
  }
  return json(
    { error: { message: messages[status] ?? 'Internal Server Error', status_code: status } },
    status,
  )
}

function standardHeaders({ sequence }: LedgerEntry): Record<string, string> {
  return {
    server: 'cloudflare',
    'cache-control': 'private, no-cache',
    'x-frame-options': 'deny',
    'x-vrc-request-id': `fake-${sequence}`,
    'x-vrc-api-version': 'fake',
  }
}

const routes: [method: string, path: RegExp, operation: Operation][] = [
  ['GET', /^\/auth\/user$/, 'currentUser'],
  ['GET', /^\/auth$/, 'checkAuth'],
  ['POST', /^\/auth\/twofactorauth\/totp\/verify$/, 'verifyTotp'],
  ['POST', /^\/auth\/twofactorauth\/otp\/verify$/, 'verifyRecovery'],
  ['POST', /^\/auth\/twofactorauth\/emailotp\/verify$/, 'verifyEmailOtp'],
  ['PUT', /^\/logout$/, 'logout'],
  ['GET', /^\/files$/, 'getFiles'],
  ['POST', /^\/file$/, 'createFile'],
  ['GET', /^\/file\/(?<fileId>[^/]+)$/, 'getFile'],
  ['POST', /^\/file\/(?<fileId>[^/]+)$/, 'createFileVersion'],
  ['DELETE', /^\/file\/(?<fileId>[^/]+)$/, 'deleteFile'],
  ['GET', /^\/file\/(?<fileId>[^/]+)\/(?<version>\d+)$/, 'downloadFileVersion'],
  ['DELETE', /^\/file\/(?<fileId>[^/]+)\/(?<version>\d+)$/, 'deleteFileVersion'],
  ['GET', /^\/file\/(?<fileId>[^/]+)\/(?<version>\d+)\/(?<fileType>file|signature)$/, 'downloadFileVersion'],
  [
    'PUT',
    /^\/file\/(?<fileId>[^/]+)\/(?<version>\d+)\/(?<fileType>file|signature|delta)\/start$/,
    'startFileDataUpload',
  ],
  [
    'PUT',
    /^\/file\/(?<fileId>[^/]+)\/(?<version>\d+)\/(?<fileType>file|signature|delta)\/finish$/,
    'finishFileDataUpload',
  ],
  [
    'GET',
    /^\/file\/(?<fileId>[^/]+)\/(?<version>\d+)\/(?<fileType>file|signature|delta)\/status$/,
    'getFileDataUploadStatus',
  ],
]

/** What an API request asks for; `path` comes without `/api/1`. */
export function apiTarget(method: string, path: string, url: URL, isBasic: boolean): Target {
  const part = url.searchParams.get('partNumber')
  const partNumber = part === null ? undefined : Number(part)
  for (const [wantedMethod, pattern, operation] of routes) {
    const match = wantedMethod === method ? pattern.exec(path) : null
    if (match === null) continue
    const { fileId, version, fileType } = match.groups ?? {}
    return {
      operation: operation === 'currentUser' && isBasic ? 'login' : operation,
      fileId,
      version: version === undefined ? undefined : Number(version),
      fileType,
      partNumber,
    }
  }
  return { operation: 'unknown', fileId: undefined, version: undefined, fileType: undefined, partNumber }
}

const GENERIC_AGENT = /^(?:mozilla|curl|wget|node|undici|axios|got|okhttp|python|java|go-http)/i
/** `name/version`, then an address, a link or a domain to reach its maker by. */
const PROPER_AGENT = /^[^\s/]+\/\S+\s.*(?:@|:\/\/|\w\.\w)/

function checkUserAgent(core: Core, { request }: Exchange): void {
  const agent = request.headers['user-agent'] ?? ''
  if (PROPER_AGENT.test(agent) && !GENERIC_AGENT.test(agent) && !/example\.com/i.test(agent)) return
  core.violations.push(`User-Agent: "${agent}" is not "name/version contact"`)
  throw plainRefusal(403, 'Please identify yourself with a properly formatted user-agent.', {
    waf_code: 13_799,
  })
}
