import { FatalError } from '#shared/errors.ts'
import { createHttp, type HttpOptions } from '#shared/http.ts'
import { ownVersion } from '#shared/own-version.ts'
import type { AccountAccess, Destination, Limits, Provider, Session } from '../provider.ts'
import { removeLeftovers } from './abort.ts'
import { createCall } from './call.ts'
import { confirmVersion, confirmWithinMs } from './confirm.ts'
import { defaultTiming, type Timing, type Work } from './deps.ts'
import { finishBlob } from './finish.ts'
import { inspectFile } from './inspect.ts'
import { downloadVersion, listFiles, removeRemote, showFile } from './library.ts'
import { createLogins } from './login.ts'
import { sendOnePart } from './parts.ts'
import { planParts } from './plan.ts'
import { openSession } from './prepare.ts'
import { accountRequest, credentials, settings, settingsOf, uploadRequest } from './request.ts'
import { left, session as sessionSchema, type SessionState } from './session.ts'
import { createWire } from './wire.ts'

export interface VrchatOptions {
  readonly timing?: Partial<Timing>
  readonly http?: Partial<HttpOptions>
  readonly now?: () => number
}

// As gentle as the most careful of VRChat's other clients: docs/vrchat.md, Limits.
const limits: Limits = { maxActiveUploads: 8, partsAtOnce: 3, callsAtOnce: 1, callSpacingMs: 200 }

/** The VRChat Files API; docs/vrchat.md says what it was learnt from. */
export const createVrchat = (options: VrchatOptions = {}): Provider & AsyncDisposable => {
  const { workOf, logins, dispose } = wiring(options)
  return {
    name: 'vrchat',
    accountRequest,
    credentials,
    settings,
    uploadRequest,
    limits,
    destination,
    plan: (request, size, given) => planParts(uploadRequest.parse(request), size, leastPartSize(given)),
    login: (account, signal) => logins.login(account, signal),
    answerChallenge: (account, challenge, signal) => logins.answer(account, challenge, signal),
    inspect: (account, upload, signal) =>
      inspectFile(workOf(account, signal), uploadRequest.parse(upload.request), upload),
    prepare: (account, upload, { draft, save, stillOurs }, signal) => {
      const request = uploadRequest.parse(upload.request)
      return openSession({ ...workOf(account, signal), upload, request, save, stillOurs }, draft)
    },
    sendPart: (account, session, sending, signal) =>
      sendOnePart(workOf(account, signal), stateOf(session), sending),
    finish: (account, session, finishing, signal) =>
      finishBlob(workOf(account, signal), stateOf(session), finishing),
    confirm: (account, session, upload, signal) =>
      confirmVersion(workOf(account, signal), stateOf(session), upload),
    confirmWithinMs,
    abort: (account, { state, stillOurs }, signal) =>
      removeLeftovers(workOf(account, signal), left.parse(state), stillOurs),
    list: (account, query, signal) => listFiles(workOf(account, signal), query),
    show: (account, remoteId, signal) => showFile(workOf(account, signal), remoteId),
    download: (account, which, signal) => downloadVersion(workOf(account, signal), which),
    remove: (account, which, signal) => removeRemote(workOf(account, signal), which),
    [Symbol.asyncDispose]: dispose,
  }
}

interface Wiring {
  readonly workOf: (account: AccountAccess, signal: AbortSignal) => Work
  readonly logins: ReturnType<typeof createLogins>
  readonly dispose: () => Promise<void>
}

const wiring = (options: VrchatOptions): Wiring => {
  const now = options.now ?? Date.now
  const timing = { ...defaultTiming, ...options.timing }
  // Two clients, so that nothing of the account can ever go to storage.
  const [http, storage] = [createHttp(options.http), createHttp(options.http)]
  const wire = createWire({ http, version: ownVersion(), apiMs: timing.apiMs, now })
  const logins = createLogins({ wire, now, codeMs: timing.codeMs })
  return {
    logins,
    workOf: (account, signal) => ({
      account,
      settings: settingsOf(account),
      api: createCall({ wire, logins, timing }, account, signal),
      storage,
      timing,
      now,
      serverAhead: () => wire.serverAhead(account),
      signal,
    }),
    dispose: async () => {
      await Promise.all([http[Symbol.asyncDispose](), storage[Symbol.asyncDispose]()])
    },
  }
}

const leastPartSize = (given: unknown): number | undefined =>
  given === undefined ? undefined : settings.parse(given).minPartSize

const stateOf = ({ state }: Session): SessionState => sessionSchema.parse(state)

const destination = (account: string, request: unknown): Destination => {
  const { destination: to, newFile } = uploadRequest.parse(request)
  if (to.fileId !== undefined) {
    if (newFile) throw new FatalError('bad-request', 'newFile: a new File needs a name, not a fileId')
    return { key: `vrchat/${to.fileId}` }
  }
  const binding = `${account}/${to.name ?? ''}`
  // A new File stands in line with the others of its name: they follow it in the order they were accepted.
  return { key: `vrchat/${account}/name/${to.name ?? ''}`, binding, ...(newFile && { fresh: true }) }
}
