import { codeAfter, codeInstead } from '../../fakes/cloudreve/server.ts'
import type { CloudreveCall, cloudreveCalls } from './cloudreve-calls.ts'
import { troubles } from './troubles.ts'
import type { Trouble } from './troubles.ts'

/** A firewall in front of a site refuses one request, and may let the next one pass. */
const firewallOf = ({ isRepeated }: CloudreveCall): Partial<Trouble> =>
  isRepeated === true ? {} : { attempts: 1 }

/** Those that every provider's calls meet, and those that Cloudreve's do. */
export const cloudreveTroubles = (call: CloudreveCall): readonly Trouble[] => [
  ...troubles(firewallOf(call)).filter(({ onlyApi }) => onlyApi !== true || call.operation !== 's3.putPart'),
  ...(call.operation.includes('.') ? [] : siteTroubles(call)),
]

type Action = ReturnType<Trouble['actions']>[number]

const trouble = (name: string, actions: readonly Action[], more: Partial<Trouble> = {}): Trouble => ({
  name,
  actions: () => actions,
  ...more,
})

const twice = (action: Action): readonly Action[] => [action, action]

/** Callbacks of stores that are like S3 say 400 as well. */
const refusal = ({ policy, operation }: CloudreveCall, code: number, msg = ''): Action =>
  operation === 'callback' && policy === 's3'
    ? { kind: 'status', status: 400, body: { code, msg } }
    : codeInstead(code, msg)

/** What the site itself says of a moment that is bad for it. */
const siteTroubles = (call: CloudreveCall): readonly Trouble[] => {
  const attempts = call.isRepeated === true ? 0 : 2
  return [
    trouble('trap 27: code -1 without a word, twice', twice(refusal(call, -1)), { attempts }),
    trouble('trap 30: its database is locked, twice', twice(refusal(call, 50_001, 'database is locked')), {
      attempts,
    }),
  ]
}

const lockedBySomebody = codeInstead(40_073, 'Lock conflict', [
  { path: '/a.bin', token: 'lock-token', type: 0, owner: { application: { type: 'viewer' } } },
])
const tooLarge: Action = { kind: 'html', status: 413 }
const stored = (name: string, kind: 'wrong-etag' | 'no-etag' | 'store-short' | 'store-flipped'): Trouble =>
  trouble(name, [kind], kind === 'no-etag' ? { attempts: 1 } : {})

const s3Error = (code: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>We encountered an error</Message></Error>`
const answerOf = (kind: 'status' | 'status-after', status: number, body: string): Action => ({
  kind,
  status,
  body,
  headers: { 'content-type': 'application/xml' },
})

/** What only this call can meet. */
export const ownTroubles: Partial<Record<keyof typeof cloudreveCalls, readonly Trouble[]>> = {
  create: [
    trouble('trap 30: its database is locked, though it is done', [codeAfter(50_001, 'database is locked')], {
      attempts: 1,
    }),
  ],
  chunk: [
    trouble('trap 30: its database is locked, though it is done', [codeAfter(50_001, 'database is locked')], {
      attempts: 1,
    }),
    trouble('code 40073 with data: somebody holds a lock', [lockedBySomebody], { attempts: 1 }),
    trouble('trap 28: an HTML page with status 413', [tooLarge], { fails: 'refused' }),
  ],
  lastChunk: [
    trouble('trap 3: code 40011, though it is done', [codeAfter(40_011, 'Upload session expired')]),
    trouble('trap 30: its database is locked, though it is done', [codeAfter(50_001, 'database is locked')], {
      attempts: 1,
      repeats: 'asks',
    }),
    trouble('trap 28: an HTML page with status 413', [tooLarge], { fails: 'refused' }),
  ],
  part: [
    stored('row 24: a wrong ETag', 'wrong-etag'),
    stored('row 24: no ETag', 'no-etag'),
    stored('row 25: it is stored one byte short', 'store-short'),
    stored('row 25: it is stored with a wrong bit', 'store-flipped'),
    trouble('row 18: an answer before the part was read', [{ kind: 'status', status: 503, early: true }]),
    trouble('trap 28: an HTML page with status 413', [tooLarge], { fails: 'refused' }),
  ],
  range: [
    trouble('row 18: an answer before the range was read', [{ kind: 'status', status: 503, early: true }]),
    trouble('code 400: its chunks are of no good size', [{ kind: 'status', status: 400 }], {
      fails: 'refused',
    }),
  ],
  complete: [
    trouble('trap 14: 200 with an error as its body', [answerOf('status', 200, s3Error('InternalError'))]),
    trouble(
      'trap 14: 200 with an error as its body, though it is done',
      [answerOf('status-after', 200, s3Error('InternalError'))],
      { repeats: 'asks' },
    ),
  ],
  callback: [
    trouble(
      'status 401 with code 40011, though it is done',
      [{ kind: 'status-after', status: 401, body: { code: 40_011, msg: 'Upload session expired' } }],
      { repeats: 'once' },
    ),
    trouble(
      'code 50011: it can not ask the store, twice',
      twice({ kind: 'status', status: 400, body: { code: 50_011, msg: '' } }),
    ),
  ],
  callbackOfOneDrive: [
    trouble(
      'status 401 with code 40011, though it is done',
      [{ kind: 'status-after', status: 401, body: { code: 40_011, msg: 'Upload session expired' } }],
      { repeats: 'once' },
    ),
    trouble('code 50011: it can not ask the store, twice', twice(codeInstead(50_011))),
  ],
}
