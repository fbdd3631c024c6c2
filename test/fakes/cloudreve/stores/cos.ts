import type { StoreHost } from './host.ts'
import { OCTETS } from './intake.ts'
import { createMultipartStore } from './multipart-store.ts'
import { forbidOverwrite } from './part-list.ts'
import { finishListed } from './s3.ts'
import { cosSignature } from './signing/cos.ts'
import type { Store } from './store.ts'
import { xmlError } from './xml.ts'

const keys = { accessKey: 'AKIDFAKESTORE', secretKey: 'the secret of the fake cos store' }

/**
 * Tencent COS: type and length of each part are signed, and with the completion that nothing is overwritten.
 * https://www.tencentcloud.com/document/product/436/7742
 */
export function createCosStore(host: StoreHost): Promise<Store> {
  return createMultipartStore(host, {
    kind: 'cos',
    scheme: cosSignature(keys),
    partHeaders: (length) => ({ 'content-length': String(length), 'content-type': OCTETS }),
    completeHeaders: { 'content-type': OCTETS, 'x-cos-forbid-overwrite': 'true' },
    error: xmlError,
    finish: async (completion) => {
      forbidOverwrite(completion, xmlError)
      return finishListed(completion)
    },
  })
}
