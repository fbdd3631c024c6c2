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

const ALGORITHM = 'OSS4-HMAC-SHA256'

/**
 * URLs signed by the fourth version of OSS: Content-Type, Content-MD5 and every x-oss header that is sent are signed
 * always, others when they are named as additional.
 * https://www.alibabacloud.com/help/en/oss/developer-reference/add-signatures-to-urls
 */
export function ossV4({ accessKey, secretKey }: Keys, region: string): Scheme {
  function signature({ method, url, headers }: SignedRequest): string {
    const query = new Map(queryPairs(url))
    const issued = query.get('x-oss-date') ?? ''
    const additional = (query.get('x-oss-additional-headers') ?? '').split(';')
    const names = Object.keys(headers).filter((name) => signedAlways(name) || additional.includes(name))
    const lines = names.toSorted().map((name) => `${name}:${headerLine(headers, name) ?? ''}\n`)
    const canonical = [method, encodedPath(url), canonicalQuery(url), lines.join(''), additional.join(';')]
    const digest = hexDigest('sha256', [...canonical, 'UNSIGNED-PAYLOAD'].join('\n'))
    const scope = `${issued.slice(0, 8)}/${region}/oss/aliyun_v4_request`
    const text = [ALGORITHM, issued, scope, digest].join('\n')
    const steps = [issued.slice(0, 8), region, 'oss', 'aliyun_v4_request']
    return derivedSignature([`aliyun_v4${secretKey}`, ...steps], text)
  }

  function check(request: SignedRequest, now: number): Verdict {
    const query = new Map(queryPairs(request.url))
    const given = query.get('x-oss-signature')
    if (query.get('x-oss-signature-version') !== ALGORITHM || given === undefined) return 'unsigned'
    if (query.get('x-oss-credential')?.split('/')[0] !== accessKey) return 'mismatch'
    if (given !== signature(request)) return 'mismatch'
    return verdictOnTime(query.get('x-oss-date') ?? '', query.get('x-oss-expires') ?? '', now)
  }

  return {
    sign: ({ method, url, headers, expires }, now) => {
      const { issued, seconds } = lifetime(expires, now)
      const date = compactTime(issued)
      const unsigned = withQuery(url, [
        ['x-oss-additional-headers', 'host'],
        ['x-oss-credential', `${accessKey}/${date.slice(0, 8)}/${region}/oss/aliyun_v4_request`],
        ['x-oss-date', date],
        ['x-oss-expires', String(seconds)],
        ['x-oss-signature-version', ALGORITHM],
      ])
      const target = new URL(unsigned)
      const signed = { method, url: target, headers: { ...headers, host: url.host } }
      return withQuery(target, [['x-oss-signature', signature(signed)]])
    },
    check: checking(check),
  }
}

function signedAlways(name: string): boolean {
  return name === 'content-type' || name === 'content-md5' || name.startsWith('x-oss-')
}

function canonicalQuery(url: URL): string {
  const pairs = queryPairs(url).filter(([name]) => name !== 'x-oss-signature')
  const encoded = pairs.map(([name, value]) =>
    value === '' ? encode(name) : `${encode(name)}=${encode(value)}`,
  )
  return encoded.toSorted().join('&')
}
