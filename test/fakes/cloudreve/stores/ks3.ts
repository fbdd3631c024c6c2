import type { StoreHost } from './host.ts'
import { OCTETS } from './intake.ts'
import { createMultipartStore } from './multipart-store.ts'
import { finishListed } from './s3.ts'
import { ks3V2 } from './signing/query-v2.ts'
import type { Store } from './store.ts'
import { xmlError } from './xml.ts'

const keys = { accessKey: 'AKLTFAKESTORE', secretKey: 'the secret of the fake ks3 store' }

/** Kingsoft KS3: as S3, the Content-Type of every request being signed. https://docs.ksyun.com/documents/2321 */
export function createKs3Store(host: StoreHost): Promise<Store> {
  return createMultipartStore(host, {
    kind: 'ks3',
    scheme: ks3V2(keys),
    partHeaders: () => ({ 'content-type': OCTETS }),
    completeHeaders: { 'content-type': OCTETS },
    error: xmlError,
    finish: finishListed,
  })
}
