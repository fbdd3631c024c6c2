import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { drain } from './bodies.ts'
import {
  badChunks,
  cutAnswer,
  dripReply,
  falseLength,
  halfClose,
  headForever,
  pageForever,
  readSome,
  reset,
  resetMidBody,
} from './broken-answers.ts'
import type { FaultAction } from './faults.ts'
import type { LedgerEntry, Phase } from './ledger.ts'
import { Refusal, type Reply } from './replies.ts'

/** `hang` never answers: the exchange ends when the client gives up. */
export type Outcome = Reply | 'hang'

/** One request on its way through a fake. */
export interface Exchange<Entry extends LedgerEntry = LedgerEntry> {
  request: IncomingMessage
  response: ServerResponse
  /** Kept apart: the request lets go of it when it ends early. */
  socket: Socket
  url: URL
  entry: Entry
  fault: FaultAction | undefined
}

export interface Server<Each extends Exchange> {
  process: (exchange: Each) => Promise<Outcome>
  /** The answer of a `status` fault that brings no body of its own. */
  faultReply: (status: number) => Reply
  /** Tells the hooks; awaited. */
  announce: (exchange: Each, phase: Phase) => void | Promise<void>
}

/** Runs one request from the hook on arrival to the hook after the reply, with the fault it drew. */
export async function runExchange<Each extends Exchange>(
  server: Server<Each>,
  exchange: Each,
): Promise<void> {
  exchange.entry.fault = exchange.fault?.kind
  await server.announce(exchange, 'arrival')
  try {
    const intercepted = await intercept(server, exchange)
    if (!intercepted) await answer(server, exchange)
  } catch (error) {
    if (!isDisconnect(exchange)) throw error
  }
  exchange.entry.endedAt = Date.now()
  await server.announce(exchange, 'after-reply')
}

async function answer<Each extends Exchange>(server: Server<Each>, exchange: Each): Promise<void> {
  const outcome = await process(server, exchange)
  if (outcome !== 'hang') exchange.entry.decided = outcome.status
  await server.announce(exchange, 'before-reply')
  if (outcome === 'hang') await disconnected(exchange)
  else await deliver(server, exchange, outcome)
}

async function process<Each extends Exchange>(server: Server<Each>, exchange: Each): Promise<Outcome> {
  try {
    return await server.process(exchange)
  } catch (error) {
    if (error instanceof Refusal) return error.reply
    throw error
  }
}

type FaultReplies = Pick<Server<Exchange>, 'faultReply'>

/** True when the fault ended the exchange before it was processed. */
async function intercept(server: FaultReplies, exchange: Exchange): Promise<boolean> {
  const { fault, socket } = exchange
  if (fault === undefined || !neverProcessed.has(fault.kind)) return false
  await breakOff(exchange, fault)
  if (socket.destroyed) return true
  await readBody(exchange, fault)
  await answerInstead(server, exchange, fault)
  return true
}

/** Ends the connection while the request still comes in. */
async function breakOff(exchange: Exchange, fault: FaultAction): Promise<void> {
  if (fault.kind === 'reset-on-arrival') reset(exchange)
  if (fault.kind === 'reset-mid-body') await resetMidBody(exchange, fault.afterBytes)
  if (fault.kind === 'half-close') await halfClose(exchange)
  if (fault.kind === 'endless-headers') await headForever(exchange)
}

/** As much of the body as the fault lets in. */
async function readBody(exchange: Exchange, fault: FaultAction): Promise<void> {
  if (fault.kind === 'status' && fault.early) return
  if (fault.kind === 'status' && fault.afterBytes !== undefined) await readSome(exchange, fault.afterBytes)
  else await drain(exchange.request, exchange.entry)
}

async function answerInstead(server: FaultReplies, exchange: Exchange, fault: FaultAction): Promise<void> {
  if (fault.kind === 'hang') await disconnected(exchange)
  if (fault.kind === 'html') await send(exchange, htmlReply(fault.status))
  if (fault.kind === 'status') await send(exchange, statusReply(server, fault))
  if (fault.kind === 'huge-body') await pageForever(exchange, fault.status)
  if (fault.kind === 'bad-chunks') badChunks(exchange)
  if (fault.kind === 'false-length') falseLength(exchange)
}

const neverProcessed = new Set<FaultAction['kind']>([
  'reset-on-arrival',
  'reset-mid-body',
  'half-close',
  'endless-headers',
  'bad-chunks',
  'false-length',
  'hang',
  'html',
  'status',
  'huge-body',
])

async function deliver(server: FaultReplies, exchange: Exchange, reply: Reply): Promise<void> {
  const kind = exchange.fault?.kind
  if (kind === 'lost-reply') exchange.socket.destroy()
  else if (kind === 'cut-answer') await cutAnswer(exchange, reply)
  else if (kind === 'hang-after') await disconnected(exchange)
  else await sendWith(server, exchange, reply)
}

async function sendWith(server: FaultReplies, exchange: Exchange, reply: Reply): Promise<void> {
  const { fault } = exchange
  if (fault?.kind === 'drip') return dripReply(exchange, reply, fault)
  if (fault?.kind === 'delay') await sleep(fault.ms)
  return send(exchange, fault?.kind === 'status-after' ? statusReply(server, fault) : reply)
}

async function send(
  { response, entry }: Exchange,
  { status, headers = {}, body = '' }: Reply,
): Promise<void> {
  response.statusCode = status
  if (typeof body === 'string') response.setHeader('content-length', Buffer.byteLength(body))
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (body instanceof Readable) {
    await pipeline(body, response)
  } else {
    response.end(body)
    await finished(response)
  }
  entry.status = status
}

function statusReply(
  server: FaultReplies,
  fault: Extract<FaultAction, { kind: 'status' | 'status-after' }>,
): Reply {
  const { status, headers = {}, body } = fault
  const standard = server.faultReply(status)
  if (body === undefined) return { ...standard, headers: { ...standard.headers, ...headers } }
  if (typeof body === 'string') return { status, headers: { 'content-type': 'text/plain', ...headers }, body }
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}

function htmlReply(status: number): Reply {
  const body = `<!DOCTYPE html>\n<html><head><title>${status}</title></head><body><h1>Error ${status}</h1><p>cloudflare</p></body></html>\n`
  return { status, headers: { 'content-type': 'text/html; charset=UTF-8', server: 'cloudflare' }, body }
}

async function disconnected({ response }: Exchange): Promise<void> {
  if (response.closed || response.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  response.once('close', resolve)
  await promise
}

/** Streams throw in many ways when the client goes; the socket tells whether that was it. */
function isDisconnect({ socket, response }: Exchange): boolean {
  return socket.destroyed || response.destroyed
}
