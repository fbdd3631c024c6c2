import { createHttp, type HttpOptions } from '#shared/http.ts'
import type { AccountAccess, Destination, Limits, Provider, Session } from '../provider.ts'
import { removeLeftovers } from './abort.ts'
import { createCall } from './site/call.ts'
import { confirmUpload, confirmWithinMs } from './confirm.ts'
import { defaultTiming, type Timing, type Work } from './deps.ts'
import { inspectFile } from './opening/inspect.ts'
import { downloadVersion, listFiles, removeRemote, showFile } from './library.ts'
import { createLogins } from './login/login.ts'
import { openSession } from './opening/prepare.ts'
import { accountRequest, credentials, settings, settingsOf, uploadRequest } from './request.ts'
import { finishUpload, sendChunk } from './send.ts'
import { left, session as sessionSchema, type SessionState } from './session.ts'
import { resolveUri } from './site/uri.ts'
import { createWire } from './site/wire.ts'

export interface CloudreveOptions {
  readonly timing?: Partial<Timing>
  readonly http?: Partial<HttpOptions>
  readonly now?: () => number
}

// A site on SQLite takes few writers at once: docs/cloudreve.md, Limits.
const limits: Limits = { maxActiveUploads: 4, partsAtOnce: 4, callsAtOnce: 4, callSpacingMs: 0 }

/** Cloudreve V4 with all its storage policies; docs/cloudreve.md says what it was learnt from. */
export const createCloudreve = (options: CloudreveOptions = {}): Provider & AsyncDisposable => {
  const timing = { ...defaultTiming, ...options.timing }
  const { workOf, logins, dispose } = wiring(options, timing)
  return {
    name: 'cloudreve',
    accountRequest,
    credentials,
    settings,
    uploadRequest,
    limits,
    destination,
    // The site decides how the file is cut, and nothing of its bytes has to be known before they are sent.
    plan: () => ({}),
    login: (account, signal) => logins.login(account, signal),
    answerChallenge: (account, challenge, signal) => logins.answer(account, challenge, signal),
    inspect: (account, upload, signal) =>
      inspectFile(workOf(account, signal), uploadRequest.parse(upload.request), upload),
    prepare: (account, upload, { draft, ...opening }, signal) => {
      const request = uploadRequest.parse(upload.request)
      return openSession({ ...workOf(account, signal), upload, request, ...opening }, draft)
    },
    sendPart: (account, session, sending, signal) =>
      sendChunk(workOf(account, signal), stateOf(session), sending),
    finish: (account, session, finishing, signal) =>
      finishUpload(workOf(account, signal), stateOf(session), finishing),
    confirm: (account, session, upload, signal) =>
      confirmUpload(workOf(account, signal), stateOf(session), upload),
    confirmWithinMs: (_, session) => confirmWithinMs(timing, stateOf(session)),
    abort: (account, { state, ...rest }, signal) =>
      removeLeftovers(workOf(account, signal), { state: left.parse(state), ...rest }),
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

const wiring = (options: CloudreveOptions, timing: Timing): Wiring => {
  const now = options.now ?? Date.now
  // Two clients, so that nothing of the account can ever go to a store.
  const [http, storage] = [createHttp(options.http), createHttp(options.http)]
  const wire = createWire({ http, timing, now })
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

const stateOf = ({ state }: Session): SessionState => sessionSchema.parse(state)

/** Each account has its own `cloudreve://my`, so places are not shared between accounts. */
const destination = (account: string, request: unknown, fileName: string): Destination => ({
  key: `cloudreve/${account}/${resolveUri(uploadRequest.parse(request).destination.uri, fileName)}`,
})
