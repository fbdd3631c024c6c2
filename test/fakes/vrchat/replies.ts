import { randomBytes } from 'node:crypto'
import { Refusal, type Reply, json } from '../http/replies.ts'

/** `{"error":{"message","status_code"}}`, the message as it is. */
export function plainRefusal(status: number, message: string, extra: Record<string, unknown> = {}): Refusal {
  return new Refusal(json({ error: { message, status_code: status, ...extra } }, status))
}

/** The same, its message a JSON string inside the string, with look-alike punctuation. */
export function quotedRefusal(status: number, message: string): Refusal {
  return plainRefusal(status, JSON.stringify(lookAlike(message)))
}

/** `{"error":string,"status_code"}`, as an unknown route answers. */
export function unknownRoute(): Refusal {
  return new Refusal(json({ error: 'Not Found', status_code: 404 }, 404))
}

/** `{"error":string}`, as some validators answer. */
export function validatorRefusal(message: string): Refusal {
  return new Refusal(json({ error: message }, 400))
}

/** One-dot leader, modifier colon and low comma for their ASCII kin, as the service writes them. */
export function lookAlike(text: string): string {
  return text.replaceAll('.', '\u2024').replaceAll(':', '\ua789').replaceAll(',', '\u201a')
}

export function xmlReply(status: number, code: string, message: string): Reply {
  const requestId = randomBytes(8).toString('hex').toUpperCase()
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body:
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message>` +
      `<RequestId>${requestId}</RequestId><HostId>fake</HostId></Error>`,
  }
}

export function xmlRefusal(status: number, code: string, message: string): Refusal {
  return new Refusal(xmlReply(status, code, message))
}
