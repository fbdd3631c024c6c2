import type { FaultAction } from '../../http/faults.ts'
import type { StoreHost } from './host.ts'
import { type Completion, createMultipartStore } from './multipart-store.ts'
import { joinListed } from './part-list.ts'
import { awsV4 } from './signing/aws-v4.ts'
import type { Store } from './store.ts'
import { xmlError, xmlReply } from './xml.ts'

const keys = { accessKey: 'AKIAFAKESTORE', secretKey: 'the secret of the fake s3 store' }

/**
 * Amazon S3: host and, where there is content, its length are signed.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
export function createS3Store(host: StoreHost): Promise<Store> {
  return createMultipartStore(host, {
    kind: 's3',
    scheme: awsV4(keys, 'us-east-1'),
    partHeaders: (length) => (length > 0 ? { 'content-length': String(length) } : {}),
    completeHeaders: {},
    error: xmlError,
    finish: finishListed,
  })
}

/** Joins the parts that were listed, and says so in XML. */
export async function finishListed(completion: Completion): Promise<ReturnType<typeof xmlReply>> {
  const etag = await joinListed(completion, xmlError)
  const { key } = completion.upload.opening
  return xmlReply(200, {
    CompleteMultipartUploadResult: { Location: `/bucket/${key}`, Bucket: 'bucket', Key: key, ETag: etag },
  })
}

/** What S3 says when a completion fails after it has begun to answer: 200, and nothing was completed. */
export const lateError: FaultAction = {
  kind: 'status',
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body:
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code>' +
    '<Message>We encountered an internal error. Please try again.</Message></Error>',
  early: false,
}
