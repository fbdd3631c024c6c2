import { z } from 'zod'
import { AccountParked, Blamed, FatalError, Unreachable } from '#shared/errors.ts'
import { failureOf, nonsense, originOf } from '#shared/http/failure.ts'
import type { HttpAnswer, HttpRequest } from '#shared/http.ts'
import type { Work } from '../deps.ts'
import type { SessionState } from '../session.ts'
import { readXml } from './s3-xml.ts'
import { codeIn, jsonIn } from './store-codes.ts'
import { mayHaveArrived, sessionLost, unlessComplete } from './uncertain.ts'

/** An answer of a store, and what it was asked. */
export interface Answered {
  readonly answer: HttpAnswer
  readonly url: string
  readonly what: string
}

/** The answer, or the failure that has none although the request may have been seen. Throws all others. */
export const answerOrLost = async (
  { storage, signal }: Work,
  request: HttpRequest,
): Promise<Answered | Unreachable> => {
  const { url, what } = request
  try {
    return { answer: await storage.send(request, signal), url, what }
  } catch (error) {
    const lost = mayHaveArrived(error)
    if (lost === undefined) throw error
    return lost
  }
}

/**
 * As `answerOrLost`, for what is no part: within the limits of the account, whose governor hears of a store that is
 * away, or that asks for a pause.
 */
export const askStore = async (work: Work, request: HttpRequest): Promise<Answered | Unreachable> => {
  let lost: Unreachable | undefined
  const ask = async (signal: AbortSignal): Promise<Answered> => {
    const answered = await answerOrLost({ ...work, signal }, request)
    if (answered instanceof Unreachable) throw (lost = answered)
    const failure = answered.answer.status < 400 ? undefined : refusalOf(answered)
    if (failure instanceof AccountParked || failure instanceof Unreachable) throw failure
    return answered
  }
  try {
    return await work.account.governor.call(work.signal, ask)
  } catch (error) {
    if (lost !== undefined && error === lost) return lost
    throw error
  }
}

/** Exactly this: it is part of signatures. */
export const OCTETS = { 'content-type': 'application/octet-stream' } as const

/** The store's trouble rather than this request's fault. S3 calls a body that came too slowly a 400. */
const TROUBLE: ReadonlySet<string> = new Set([
  'InternalError',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
])

/** What a store's refusal of a request means, when nothing more particular is known of it. */
export const refusalOf = ({ answer, ...asked }: Answered, detail = codeIn(answer)): Error => {
  const general = failureOf(answer, asked, detail)
  // Qiniu's own, and no trouble of a server: HTTP ends at 599, and 579 tells of a callback that failed.
  if (answer.status >= 600 || answer.status === 579) return new Blamed(general.message, 'part-failed')
  if (general instanceof Unreachable || general instanceof AccountParked) return general
  if (TROUBLE.has(detail)) return new Unreachable(originOf(asked.url), general.message)
  if (answer.status === 413) return tooLarge(general.message)
  return new Blamed(general.message, 'part-failed')
}

/** Trap 28: a proxy or the store takes no body of this size, whoever sends it. */
export const tooLarge = (message: string): FatalError =>
  new FatalError(
    'refused',
    `${message}; lower the chunk size of the storage policy, or raise the body limit of the proxy before it`,
  )

/** A success that came from something in front of the store, such as a captive portal. */
export const assertNoPage = ({ answer, ...asked }: Answered): void => {
  if (!(answer.header('content-type') ?? '').startsWith('text/html')) return
  throw nonsense(asked, answer.status, 'with an HTML page')
}

/** Whether URLs and credentials of this session are too old, by the site's clock or in the store's words. */
export const isExpired = ({ now, serverAhead }: Work, state: SessionState, answer: HttpAnswer): boolean => {
  if (answer.status !== 401 && answer.status !== 403) return false
  if (now() + serverAhead() >= state.expires) return true
  const { code, message } = readXml(answer.text)
  if (code !== '') return code === 'ExpiredToken' || (code === 'AccessDenied' && EXPIRED.test(message))
  return EXPIRED.test(sentenceIn(answer.text))
}

const EXPIRED = /expired/i

/** Qiniu and Upyun say in a sentence of JSON what S3 has codes for. */
const sentenceIn = (text: string): string => {
  const { error, message, msg } = z
    .object({ error: z.string().catch(''), message: z.string().catch(''), msg: z.string().catch('') })
    .catch({ error: '', message: '', msg: '' })
    .parse(jsonIn(text))
  return [error, message, msg].join(' ')
}

interface Settling extends Answered {
  /** Whether the refusal says that the store has no such upload. */
  readonly isGone: boolean
  /** What may still save it then; without it only what the site shows counts. */
  readonly ifGone: ((lost: Error) => Promise<void>) | undefined
}

/** Returns when the upload is complete all the same; else throws what the refusal of a chunk means. */
export const settleRefusal = async (work: Work, state: SessionState, settling: Settling): Promise<void> => {
  const { answer, isGone, ifGone } = settling
  const refusal = refusalOf(settling)
  if (isExpired(work, state, answer)) {
    return unlessComplete(work, state, sessionLost(`${refusal.message}: the upload session has expired`))
  }
  if (!isGone) throw refusal
  const lost = sessionLost(`${refusal.message}: the store knows the upload no more`)
  return ifGone === undefined ? unlessComplete(work, state, lost) : ifGone(lost)
}
