import { Unreachable } from '#shared/errors.ts'
import { failureOf, originOf } from '#shared/http/failure.ts'
import type { Http, HttpAnswer } from '#shared/http.ts'
import type { AccountAccess } from './provider.ts'

const MOST_HOPS = 5
const WHAT = 'GET the stored bytes'

interface Opening {
  readonly account: AccountAccess
  /** Knows no account: nothing of one is ever sent. */
  readonly storage: Http
  readonly signal: AbortSignal
}

/** Opens the bytes behind a URL, through as many redirects as are sane. Throws what `failureOf` makes of a refusal. */
export const openStored = async (on: Opening, url: string): Promise<HttpAnswer> => {
  let from = url
  for (let hops = 1; ; hops++) {
    const answer = await openOnce(on, from)
    if (answer.status < 300) return answer
    const next = nextHop(answer, from)
    if (hops > MOST_HOPS) throw new Unreachable(originOf(from), `${WHAT} → redirected again and again`)
    from = next
  }
}

/** Up to its headers within the governor, which so hears of a storage that is away or asks for a pause. */
const openOnce = ({ account, storage, signal }: Opening, url: string): Promise<HttpAnswer> =>
  account.governor.call(signal, async (signal) => {
    const request = { method: 'GET', url, what: WHAT, stream: true } as const
    const answer = await storage.send(request, signal)
    if (answer.status >= 400) throw failureOf(answer, request)
    return answer
  })

/** Where a redirect leads; its own body is let go. */
export const nextHop = (answer: HttpAnswer, from: string): string => {
  answer.body?.destroy()
  const next = URL.parse(answer.header('location') ?? '', from)
  if (next !== null) return next.href
  throw new Unreachable(originOf(from), `${WHAT} → ${String(answer.status)}, and no way on from there`)
}
