import type { Work } from '../deps.ts'
import { putTogether, type Completion } from './multipart-complete.ts'
import { sendMultipartPart } from './multipart-part.ts'
import { completionXml } from './s3-xml.ts'
import { tellSite } from './tell-site.ts'
import type { Completing, Transport } from './transport.ts'
import { sessionLost } from './uncertain.ts'

/** A store of S3's kind, which needs us to tell the site of it. `headers`: signed for its completion, beside the type. */
export const likeS3 = (
  kind: 's3' | 'ks3' | 'cos',
  headers: Readonly<Record<string, string>> = {},
): Transport => ({
  sendChunk: (work, chunk) =>
    sendMultipartPart(work, chunk, {
      needsEtag: true,
      // Completed by a run that was killed before it told the site: which looks for the object, and at its size.
      ifGone: (doubt) => tellSite(work, chunk, { kind, method: 'GET', doubt }),
    }),
  complete: async (work, completing) => {
    const doubt = await putListed(work, completing, { headers, ownXml: true })
    await tellSite(work, completing, { kind, method: 'GET', doubt })
  },
})

/** As `putTogether`, with the list of all parts. */
export const putListed = async (
  work: Work,
  completing: Completing,
  completion: Omit<Completion, 'body'>,
): Promise<Error | undefined> => {
  const { receipts } = completing
  // A part that came after the end was found in a file that is complete, and has none.
  if (receipts.some(({ etag }) => etag === undefined)) return sessionLost('A part has no ETag')
  return putTogether(work, completing, { ...completion, body: completionXml(receipts) })
}
