import { z } from 'zod'
import { countedBody } from '../../http/bodies.ts'
import type { StoredPart } from '../../http/part-disk.ts'
import { Refusal, type Reply, json } from '../../http/replies.ts'
import { alteration } from '../../http/spoilt.ts'
import { MalformedForm, formMembers, text } from './form.ts'
import type { StoreExchange, StoreHost } from './host.ts'
import { refused, violation } from './intake.ts'
import type { Shelf } from './shelf.ts'
import { upyunAuthorization } from './signing/upyun.ts'
import type { Opening } from './store.ts'

/** Who signs: the site checks the notification by it. */
export const upyunKeys = { operator: 'operator', password: 'the password of the fake upyun operator' }

/** Where every form goes. */
export const PATH = '/bucket'

interface FormCall {
  readonly host: StoreHost
  readonly shelf: Shelf
  readonly exchange: StoreExchange
}

/** What the client is given to send along, signed. */
export function signedPolicy({ key, size, expires, callbackUrl }: Opening): {
  policy: string
  authorization: string
} {
  const content = {
    bucket: 'bucket',
    'save-key': key,
    expiration: Math.ceil(expires / 1000),
    'notify-url': callbackUrl,
    'content-length-range': `0,${size}`,
  }
  const policy = Buffer.from(JSON.stringify(content)).toString('base64')
  return { policy, authorization: upyunAuthorization(upyunKeys, { method: 'POST', uri: PATH, policy }) }
}

const policySchema = z.object({ bucket: z.literal('bucket'), 'save-key': z.string(), expiration: z.int() })

/** The fields, in their order and each as it was handed out, then the file. */
export async function readForm(call: FormCall, opening: Opening): Promise<StoredPart> {
  const { host, shelf, exchange } = call
  const { request, entry, fault } = exchange
  const fields: [string, string][] = []
  let part: StoredPart | undefined
  try {
    const members = formMembers(countedBody(request, entry), request.headers['content-type'])
    for await (const { name, body } of members) {
      if (part !== undefined) throw new MalformedForm('the file is not last')
      if (name !== 'file') {
        fields.push([name, await text(body)])
        continue
      }
      checkFields(call, opening, fields)
      part = await shelf.disk.receive(body, { alter: alteration(fault, opening.size) })
    }
    if (part === undefined) throw new MalformedForm('there is no file')
    return part
  } catch (error) {
    if (part !== undefined) await shelf.disk.remove([part])
    if (!(error instanceof MalformedForm)) throw error
    throw refused(host, exchange, `the form: ${error.message}`, problem(400, 'bad form'))
  }
}

function checkFields(call: FormCall, opening: Opening, fields: [string, string][]): void {
  const names = fields.map(([name]) => name).join(', ')
  const wanted = ['policy', 'authorization', ...(opening.mimeType === '' ? [] : ['content-type'])].join(', ')
  if (names !== wanted) throw new MalformedForm(`the fields are ${names} instead of ${wanted}`)
  const given = new Map(fields)
  checkPolicy(call, opening, { policy: given.get('policy'), authorization: given.get('authorization') })
  if (opening.mimeType !== (given.get('content-type') ?? '')) {
    violation(call.host, call.exchange, 'content-type is not that of the session')
  }
}

function checkPolicy(
  { host, exchange }: FormCall,
  opening: Opening,
  { policy = '', authorization }: Record<'policy' | 'authorization', string | undefined>,
): void {
  if (authorization !== upyunAuthorization(upyunKeys, { method: 'POST', uri: PATH, policy })) {
    throw refused(host, exchange, 'the policy is not what was signed', problem(401, 'signature error'))
  }
  const { expiration, ...rest } = policySchema.parse(decoded(policy))
  if (exchange.fault?.kind === 'expired' || host.now() > expiration * 1000) {
    throw new Refusal(problem(403, 'authorization has expired'))
  }
  if (rest['save-key'] !== opening.key) {
    throw refused(host, exchange, 'the policy is that of another file', problem(403, 'policy mismatch'))
  }
}

function decoded(policy: string): unknown {
  return JSON.parse(Buffer.from(policy, 'base64').toString('utf8'))
}

/** As Upyun says what is wrong. */
export function problem(status: number, msg: string): Reply {
  return json({ msg, code: status * 100_000, id: 'fake' }, status)
}
