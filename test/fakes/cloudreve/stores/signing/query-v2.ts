import {
  type Keys,
  type Scheme,
  type SignedRequest,
  type Verdict,
  checking,
  encodedPath,
  headerLine,
  hmac,
  queryPairs,
  withQuery,
} from './scheme.ts'

/** What tells one service's second version from another's. */
interface Flavour {
  /** The query parameter that names the access key. */
  readonly keyName: string
  /** Headers, and parameters, that begin so are signed. */
  readonly prefix: string
}

/** KS3, https://docs.ksyun.com/documents/2321, signatures in the query string. */
export function ks3V2(keys: Keys): Scheme {
  return queryV2({ keyName: 'KSSAccessKeyId', prefix: 'x-kss-' }, keys)
}

/** OBS, https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0011.html, signatures in the URL. */
export function obsV2(keys: Keys): Scheme {
  return queryV2({ keyName: 'AccessKeyId', prefix: 'x-obs-' }, keys)
}

/**
 * The second version of signatures in the query, which both have from S3: method, Content-MD5, Content-Type, expiry in
 * seconds, own headers, and the resource with its sub-resources.
 */
function queryV2({ keyName, prefix }: Flavour, { accessKey, secretKey }: Keys): Scheme {
  function signature({ method, url, headers }: SignedRequest, expires: string): string {
    const own = Object.keys(headers).filter((name) => name.startsWith(prefix))
    const text = [
      method,
      headerLine(headers, 'content-md5') ?? '',
      headerLine(headers, 'content-type') ?? '',
      expires,
      ...own.toSorted().map((name) => `${name}:${headerLine(headers, name)}`),
      resource(url, prefix),
    ]
    return hmac('sha1', secretKey, text.join('\n')).toString('base64')
  }

  function check(request: SignedRequest, now: number): Verdict {
    const query = new Map(queryPairs(request.url))
    const given = query.get('Signature')
    const expires = query.get('Expires') ?? ''
    if (given === undefined || !query.has(keyName)) return 'unsigned'
    if (query.get(keyName) !== accessKey || given !== signature(request, expires)) return 'mismatch'
    return now > Number(expires) * 1000 ? 'expired' : 'good'
  }

  return {
    sign: ({ method, url, headers, expires }) => {
      const seconds = String(Math.ceil(expires / 1000))
      return withQuery(url, [
        [keyName, accessKey],
        ['Expires', seconds],
        ['Signature', signature({ method, url, headers }, seconds)],
      ])
    },
    check: checking(check),
  }
}

const subResources = new Set(['partNumber', 'uploadId', 'uploads', 'acl', 'versionId', 'callback'])

function resource(url: URL, prefix: string): string {
  const pairs = queryPairs(url).filter(([name]) => subResources.has(name) || name.startsWith(prefix))
  const signed = pairs.map(([name, value]) => (value === '' ? name : `${name}=${value}`)).toSorted()
  return encodedPath(url) + (signed.length === 0 ? '' : `?${signed.join('&')}`)
}
