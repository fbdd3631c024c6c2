import {
  type Keys,
  type Scheme,
  type SignedRequest,
  type Verdict,
  checking,
  compactTime,
  derivedSignature,
  encode,
  encodedPath,
  headerLine,
  hexDigest,
  lifetime,
  queryPairs,
  verdictOnTime,
  withQuery,
} from './scheme.ts'

const ALGORITHM = 'AWS4-HMAC-SHA256'

/**
 * URLs signed by Signature Version 4, as S3 takes them: the payload is not signed, host always is.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export function awsV4({ accessKey, secretKey }: Keys, region: string): Scheme {
  function signature({ method, url, headers }: SignedRequest): string {
    const query = new Map(queryPairs(url))
    const issued = query.get('X-Amz-Date') ?? ''
    const scope = `${issued.slice(0, 8)}/${region}/s3/aws4_request`
    const names = (query.get('X-Amz-SignedHeaders') ?? '').split(';')
    const lines = names.map((name) => `${name}:${headerLine(headers, name) ?? ''}\n`)
    const canonical = [method, encodedPath(url), canonicalQuery(url), lines.join(''), names.join(';')]
    const digest = hexDigest('sha256', [...canonical, 'UNSIGNED-PAYLOAD'].join('\n'))
    const text = [ALGORITHM, issued, scope, digest].join('\n')
    return derivedSignature([`AWS4${secretKey}`, issued.slice(0, 8), region, 's3', 'aws4_request'], text)
  }

  function check(request: SignedRequest, now: number): Verdict {
    const query = new Map(queryPairs(request.url))
    const given = query.get('X-Amz-Signature')
    if (query.get('X-Amz-Algorithm') !== ALGORITHM || given === undefined) return 'unsigned'
    if (!signsEnough(request, query.get('X-Amz-SignedHeaders') ?? '')) return 'mismatch'
    if (query.get('X-Amz-Credential')?.split('/')[0] !== accessKey) return 'mismatch'
    if (given !== signature(request)) return 'mismatch'
    return verdictOnTime(query.get('X-Amz-Date') ?? '', query.get('X-Amz-Expires') ?? '', now)
  }

  return {
    sign: ({ method, url, headers, expires }, now) => {
      const { issued, seconds } = lifetime(expires, now)
      const date = compactTime(issued)
      const signed = { ...headers, host: url.host }
      const unsigned = withQuery(url, [
        ['X-Amz-Algorithm', ALGORITHM],
        ['X-Amz-Credential', `${accessKey}/${date.slice(0, 8)}/${region}/s3/aws4_request`],
        ['X-Amz-Date', date],
        ['X-Amz-Expires', String(seconds)],
        ['X-Amz-SignedHeaders', Object.keys(signed).toSorted().join(';')],
      ])
      const target = new URL(unsigned)
      return withQuery(target, [['X-Amz-Signature', signature({ method, url: target, headers: signed })]])
    },
    check: checking(check),
  }
}

/** S3 wants the host signed, and whatever else of its own kind is sent. */
function signsEnough({ headers }: SignedRequest, list: string): boolean {
  const names = list.split(';')
  const own = Object.keys(headers).filter((name) => name.startsWith('x-amz-'))
  return ['host', ...own].every((name) => names.includes(name))
}

function canonicalQuery(url: URL): string {
  const pairs = queryPairs(url).filter(([name]) => name !== 'X-Amz-Signature')
  const encoded = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`)
  return encoded.toSorted().join('&')
}
