import type { Readable } from 'node:stream'

export interface Reply {
  status: number
  headers?: Record<string, string | string[]>
  body?: string | Readable
}

/** Thrown by handlers; the answer to the client is `reply`. */
export class Refusal extends Error {
  readonly reply: Reply

  constructor(reply: Reply) {
    super(`refused with ${reply.status}`)
    this.name = 'Refusal'
    this.reply = reply
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string | string[]> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  }
}
