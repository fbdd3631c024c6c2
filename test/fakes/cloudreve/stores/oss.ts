import type { Reply } from '../../http/replies.ts'
import { Refusal } from '../../http/replies.ts'
import { callBack } from './callback.ts'
import { chunkCount } from './chunks.ts'
import type { StoreHost } from './host.ts'
import { OCTETS, refused, violation } from './intake.ts'
import { type Completion, createMultipartStore } from './multipart-store.ts'
import { forbidOverwrite } from './part-list.ts'
import { ossV4 } from './signing/oss-v4.ts'
import type { Store } from './store.ts'
import { xmlError } from './xml.ts'

const keys = { accessKey: 'LTAIFAKESTORE', secretKey: 'the secret of the fake oss store' }

/**
 * Aliyun OSS: Content-Type and its own headers are signed. It completes with whatever parts there are, told to by a
 * header instead of a list, and reports to whoever the query names.
 * https://www.alibabacloud.com/help/en/oss/developer-reference/completemultipartupload
 */
export function createOssStore(host: StoreHost): Promise<Store> {
  return createMultipartStore(host, {
    kind: 'oss',
    scheme: ossV4(keys, 'cn-hangzhou'),
    partHeaders: () => ({ 'content-type': OCTETS }),
    completeHeaders: {
      'content-type': OCTETS,
      'x-oss-complete-all': 'yes',
      'x-oss-forbid-overwrite': 'true',
    },
    completeQuery: ({ callbackUrl }) => {
      const callback = { callbackUrl, callbackBody: callbackBody, callbackBodyType: 'application/json' }
      return [['callback', Buffer.from(JSON.stringify(callback)).toString('base64')]]
    },
    error: xmlError,
    finish,
  })
}

const callbackBody = '{"object":${object},"size":${size}}'

async function finish(completion: Completion): Promise<Reply> {
  const { host, shelf, exchange, upload, body } = completion
  const { callbackUrl, key } = upload.opening
  if (body !== '') {
    const reply = xmlError(400, 'InvalidArgument', 'x-oss-complete-all does not go with a list of parts.')
    throw refused(host, exchange, 'the completion has a body', reply)
  }
  forbidOverwrite(completion, xmlError)
  const indexes = [...upload.parts.keys()].toSorted((a, b) => a - b)
  if (indexes.length === 0) throw new Refusal(xmlError(400, 'InvalidPart', 'No part was uploaded.'))
  const count = chunkCount(upload.opening)
  if (indexes.length !== count)
    violation(host, exchange, `completed with ${indexes.length} of ${count} parts`)
  await shelf.complete(upload, indexes)
  return afterCallback(host, callbackUrl, { object: key, size: await shelf.stat(key) })
}

/** The answer of whom it called back is OSS's own; 203 says that the object is there and the callback failed. */
async function afterCallback(host: StoreHost, url: string, report: object): Promise<Reply> {
  const headers = { 'content-type': 'application/json' }
  const answer = await callBack(host, url, { headers, body: JSON.stringify(report) })
  if (answer?.status === 200) return { status: 200, headers, body: answer.text }
  return xmlError(203, 'CallbackFailed', `Error status : ${answer?.status ?? '-1.8'}.`)
}
