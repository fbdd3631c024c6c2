import {
  type Keys,
  type Scheme,
  type SignedRequest,
  type Verdict,
  checking,
  encode,
  headerLine,
  hexDigest,
  hmac,
  queryPairs,
  withQuery,
} from './scheme.ts'

/** URLs signed as COS does: https://www.tencentcloud.com/document/product/436/7778 */
export function cosSignature({ accessKey, secretKey }: Keys): Scheme {
  function signature({ method, url, headers }: SignedRequest, signed: SignedNames): string {
    const query = queryPairs(url).map(([name, value]): [string, string] => [name.toLowerCase(), value])
    const http = [
      method.toLowerCase(),
      decodeURIComponent(url.pathname),
      joined(signed.parameters, new Map(query)),
      joined(signed.headers, new Map(signed.headers.map((name) => [name, headerLine(headers, name) ?? '']))),
      '',
    ]
    const text = ['sha1', signed.time, hexDigest('sha1', http.join('\n')), ''].join('\n')
    const key = hmac('sha1', secretKey, signed.time).toString('hex')
    return hmac('sha1', key, text).toString('hex')
  }

  function check(request: SignedRequest, now: number): Verdict {
    const query = new Map(queryPairs(request.url))
    const given = query.get('q-signature')
    if (query.get('q-sign-algorithm') !== 'sha1' || given === undefined) return 'unsigned'
    const time = query.get('q-key-time') ?? ''
    const signed = {
      time,
      parameters: listed(query.get('q-url-param-list')),
      headers: listed(query.get('q-header-list')),
    }
    if (query.get('q-ak') !== accessKey || query.get('q-sign-time') !== time) return 'mismatch'
    if (given !== signature(request, signed)) return 'mismatch'
    return now > Number(time.split(';')[1]) * 1000 ? 'expired' : 'good'
  }

  return {
    sign: ({ method, url, headers, expires }, now) => {
      const sent = { ...headers, host: url.host }
      const end = Math.ceil(expires / 1000)
      const signed = {
        time: `${Math.min(Math.floor(now / 1000), end)};${end}`,
        parameters: queryPairs(url)
          .map(([name]) => name.toLowerCase())
          .toSorted(),
        headers: Object.keys(sent).toSorted(),
      }
      return withQuery(url, [
        ['q-sign-algorithm', 'sha1'],
        ['q-ak', accessKey],
        ['q-sign-time', signed.time],
        ['q-key-time', signed.time],
        ['q-header-list', signed.headers.join(';')],
        ['q-url-param-list', signed.parameters.join(';')],
        ['q-signature', signature({ method, url, headers: sent }, signed)],
      ])
    },
    check: checking(check),
  }
}

interface SignedNames {
  /** From and until, in seconds since 1970. */
  readonly time: string
  readonly parameters: readonly string[]
  readonly headers: readonly string[]
}

function listed(text = ''): string[] {
  return text.split(';').filter((name) => name !== '')
}

function joined(names: readonly string[], values: ReadonlyMap<string, string>): string {
  return names.map((name) => `${encode(name)}=${encode(values.get(name) ?? '')}`).join('&')
}
