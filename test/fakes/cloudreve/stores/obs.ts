import { type Reply, json } from '../../http/replies.ts'
import { callBack } from './callback.ts'
import type { StoreHost } from './host.ts'
import { OCTETS } from './intake.ts'
import { type Completion, createMultipartStore } from './multipart-store.ts'
import { joinListed } from './part-list.ts'
import { obsV2 } from './signing/query-v2.ts'
import type { Store } from './store.ts'
import { xmlError } from './xml.ts'

const keys = { accessKey: 'HPUAFAKESTORE', secretKey: 'the secret of the fake obs store' }

/**
 * Huawei OBS: Content-Type is signed; whoever is to be told of the completion is named in the query, which is signed
 * with the rest. https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0102.html
 */
export function createObsStore(host: StoreHost): Promise<Store> {
  return createMultipartStore(host, {
    kind: 'obs',
    scheme: obsV2(keys),
    partHeaders: () => ({ 'content-type': OCTETS }),
    completeHeaders: { 'content-type': OCTETS },
    completeQuery: ({ callbackUrl, key }) => {
      const callback = { url: callbackUrl, body: JSON.stringify({ key }), 'body-type': 'application/json' }
      return [['x-obs-callback', Buffer.from(JSON.stringify(callback)).toString('base64')]]
    },
    error: xmlError,
    finish,
  })
}

/** With a callback OBS speaks JSON: what the callback answered, or what went wrong. */
async function finish(completion: Completion): Promise<Reply> {
  const { host, upload } = completion
  const { callbackUrl, key } = upload.opening
  await joinListed(completion, jsonError)
  const answer = await callBack(host, callbackUrl, {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ key }),
  })
  if (answer?.status === 200)
    return { status: 200, headers: { 'content-type': 'application/json' }, body: answer.text }
  return jsonError(203, 'CallbackFailed', `Error status : ${answer?.status ?? 'none'}.`)
}

function jsonError(status: number, code: string, message: string): Reply {
  return json({ code, message, request_id: 'fake' }, status)
}
