import type { LedgerEntry } from '../../fakes/http/ledger.ts'
import { openStores } from '../../fakes/cloudreve/stores/index.ts'
import { cloudreveSecrets } from '../../support/cloudreve-secrets.ts'
import { driveUser, KIB, openDrive } from '../../support/cloudreve-service.ts'
import type { Drive } from '../../support/cloudreve-service.ts'
import { differs } from '../../support/kill/end-state.ts'
import type { CloudreveCall } from './cloudreve-calls.ts'
import { LAST } from './cloudreve-calls.ts'
import { steady } from './patience.ts'
import type { Seen, Subject } from './subject.ts'

const CHUNK = 64 * KIB
const TOTP_SECRET = 'JBSWY3DPEHPK3PXP'

const quick = { retryMs: 20, settleMs: 20, codeMs: 20 }
/** Only the watchdog notices what stands still: every other bound is longer than the test. */
const watched = {
  timing: { ...quick, apiMs: 600_000, chunkMs: 600_000, completeMs: 600_000 },
  http: { stallMs: 3000, answerMs: 3000 },
}

const env = {
  // The first pause after a login without an answer is a thirtieth of it.
  STEVEDORE_LOGIN_BUDGET_MS: '6000',
  ...steady,
}

/** Cloudreve and its stores under fire. */
export const cloudreve: Subject<CloudreveCall, Drive> = {
  account: 'drive',
  size: LAST * CHUNK + 1234,
  partSize: CHUNK,
  open: async ({ policy }, trouble, log) => {
    const fake = {
      users: [driveUser],
      policies: [{ type: policy, chunkSize: CHUNK, ...(policy === 's3' && { chunkConcurrency: 3 }) }],
      ...(policy !== 'local' && {
        stores: async (host: Parameters<typeof openStores>[0]) =>
          openStores(host, [policy], { rangeUnit: KIB }),
      }),
    }
    // One thing at a time, where not one more may follow.
    const limits = trouble.pause && { callsAtOnce: 1, partsAtOnce: 1 }
    const provider = trouble.stalls === true ? watched : { timing: quick }
    return openDrive({ fake, log, env, provider, ...(limits && { limits }) })
  },
  begin: async (drive, call, content) => call.begin(drive, content),
  needed: ({ policy }) => ({ ...neededAtAll, ...neededFor[policy] }),
  isDone,
  isPart: ({ operation }) => parts.has(operation),
  unfinished: wrongUnfinished,
  wrongVersion,
  leftovers: async ({ fake }) => differs('files', await namesOf(fake), []),
  declared: () => LAST * CHUNK + 1234,
  canaries: ({ fake }) => [
    ...cloudreveSecrets(fake),
    { name: 'the password', value: driveUser.password },
    { name: 'the TOTP secret', value: TOTP_SECRET },
  ],
}

const parts: ReadonlySet<string> = new Set(['sendChunk', 's3.putPart', 'onedrive.putRange'])

const neededAtAll = { login: 1, refresh: 0, createSession: 1, deleteSession: 0, putContent: 0, createFile: 0 }
const neededFor = {
  local: { sendChunk: LAST + 1 },
  s3: { 's3.putPart': LAST + 1, 's3.complete': 1, callback: 1 },
  onedrive: { 'onedrive.putRange': LAST + 1, callback: 1 },
}

/** The site says what it did by its code, the stores by their status. */
function isDone(entry: LedgerEntry): boolean {
  const { decided = 0 } = entry
  if (decided < 200 || decided > 299) return false
  return entry.operation.includes('.') || ('code' in entry && entry.code === 0)
}

async function wrongUnfinished({ fake }: Drive): Promise<string[]> {
  const open = fake.stores.map((store) => [store.kind, store.unfinished()] as const)
  return [
    ...differs('placeholders', fake.placeholders(), []),
    ...differs('sessions', fake.openSessions(), []),
    ...differs('reserved bytes', (await fake.totals()).reservedBytes, 0),
    ...differs(
      'unfinished at a store',
      open.filter(([, count]) => count > 0),
      [],
    ),
  ]
}

async function namesOf(fake: Drive['fake']): Promise<string[]> {
  return (await fake.files()).filter(({ type }) => type === 'file').map(({ uri }) => uri)
}

async function wrongVersion({
  service: { fake },
  record,
  sha256,
}: Seen<CloudreveCall, Drive>): Promise<string[]> {
  const files = (await fake.files()).filter(({ type }) => type === 'file')
  const [file] = files
  return [
    ...differs('files', await namesOf(fake), ['cloudreve://my/a.bin']),
    ...differs('versions of it', file?.entities.length, 1),
    ...differs(
      'version',
      [record.version?.remoteId, record.version?.number],
      [file?.uri, file?.primaryEntity],
    ),
    ...differs('SHA-256 of what arrived', file?.sha256, sha256),
  ]
}
