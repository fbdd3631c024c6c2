import type { Work } from '../deps.ts'
import { putTogether } from './multipart-complete.ts'
import { sendMultipartPart } from './multipart-part.ts'
import type { Completing, Transport } from './transport.ts'
import { unlessComplete } from './uncertain.ts'

/** Signed, both. The second has OSS list the parts by itself, so there is no body. */
const HEADERS = { 'x-oss-forbid-overwrite': 'true', 'x-oss-complete-all': 'yes' }

/** OSS tells the site before it answers. cloudreve/frontend:src/component/Uploader/core/uploader/oss.ts@19da0fe */
export const oss: Transport = {
  sendChunk: (work, chunk) => sendMultipartPart(work, chunk, { needsEtag: false }),
  complete: (work, completing) => completeOss(work, completing),
}

const completeOss = async (work: Work, completing: Completing): Promise<void> => {
  const doubt = await putTogether(work, completing, { headers: HEADERS })
  if (doubt !== undefined) await unlessComplete(work, completing.state, doubt)
}
