import { AwsV4Signer } from 'aws4fetch'
import { type Keys, type Scheme, compactTime, lifetime } from './scheme.ts'

/** URLs signed by Signature Version 4, as somebody else wrote it. */
export async function awsPresigned(
  { accessKey, secretKey }: Keys,
  region: string,
  { method, url, headers, expires }: Parameters<Scheme['sign']>[0],
  now: number,
): Promise<string> {
  const { issued, seconds } = lifetime(expires, now)
  const lasting = new URL(url)
  lasting.searchParams.set('X-Amz-Expires', String(seconds))
  const signer = new AwsV4Signer({
    method,
    url: lasting.href,
    headers,
    accessKeyId: accessKey,
    secretAccessKey: secretKey,
    service: 's3',
    region,
    datetime: compactTime(issued),
    signQuery: true,
    allHeaders: true,
  })
  return (await signer.sign()).url.href
}
