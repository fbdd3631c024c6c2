import { FatalError, ProviderTrouble, TryLater, type ErrorClass } from '#shared/errors.ts'

/** What an answer with a code other than 0 said, free of secrets. */
export interface Said {
  readonly code: number
  /** The call, such as `PUT /file/upload`. */
  readonly what: string
  readonly message: string
  /** Names the failure in the site's own log. */
  readonly correlationId?: string | undefined
  readonly data?: unknown
}

/** The site understood a request and will not do it. What it said beside that is in no log: it may hold lock tokens. */
export class SiteRefusal extends FatalError {
  override name = 'SiteRefusal'
  readonly code: number
  readonly correlationId: string | undefined
  readonly #data: unknown

  constructor(
    errorClass: ErrorClass,
    message: string,
    { code, correlationId, data }: Pick<Said, 'code' | 'correlationId' | 'data'>,
  ) {
    super(errorClass, message)
    this.code = code
    this.correlationId = correlationId
    this.#data = data
  }

  get data(): unknown {
    return this.#data
  }
}

/** The site failed at a request, which may work the next time: uses an attempt, and comes back after a pause. */
export class SiteTrouble extends ProviderTrouble {
  override name = 'SiteTrouble'
  /** Absent when something in front of the site said so. */
  readonly code: number | undefined

  constructor(message: string, code?: number) {
    super(message)
    this.code = code
  }
}

/** The site's own code behind a failure, if it gave one. */
export const siteCode = (error: unknown): number | undefined =>
  error instanceof SiteRefusal || error instanceof SiteTrouble ? error.code : undefined

/** The codes that callers decide by: be:pkg/serializer/error.go@0bb0ab83 */
export const codes = {
  notFound: 404,
  objectExists: 40004,
  sessionGone: 40011,
  parentMissing: 40016,
  banned: 40017,
  notActivated: 40018,
  credentialInvalid: 40020,
  wrongCode: 40022,
  captchaWrong: 40026,
  captchaStale: 40027,
  fileMissing: 40044,
  tooLarge: 40049,
  quota: 40051,
  badName: 40052,
  conflictingUpload: 40054,
  sizeDiffers: 40055,
  locked: 40073,
  staleVersion: 40076,
  batchFailed: 40081,
  ioFailed: 50004,
  callbackFailed: 50007,
  metadataUnknown: 50011,
} as const

interface Meaning {
  /** `trouble` and `later` may work the next time; the others are refusals of that class. */
  readonly kind: 'trouble' | 'later' | 'bad-request' | 'refused' | 'conflict'
  readonly means: string
  readonly todo?: string
}

const trouble = (means: string, todo?: string): Meaning => meaning('trouble', means, todo)
const bad = (means: string, todo?: string): Meaning => meaning('bad-request', means, todo)
const refused = (means: string, todo?: string): Meaning => meaning('refused', means, todo)
const conflict = (means: string, todo?: string): Meaning => meaning('conflict', means, todo)

const meaning = (kind: Meaning['kind'], means: string, todo?: string): Meaning => ({
  kind,
  means,
  ...(todo !== undefined && { todo }),
})

const BUG = 'please report it: this should not happen'
const ADMIN = "ask the site's administrator"
const LOGIN = 'log the account in again'

/** All codes that matter, and what they mean to us: be:pkg/serializer/error.go@0bb0ab83 */
const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [-1, trouble('the site failed without saying why', `${ADMIN}, who finds it in the log`)],
  [203, refused('the login is not finished', LOGIN)],
  [401, refused('the login is no longer good', LOGIN)],
  [403, refused('this account may not do that', ADMIN)],
  [404, refused('there is no such thing')],
  [409, trouble('somebody changed it at the same moment')],
  [
    40001,
    bad('the site takes the request for wrong', 'look at policyId and metadata of the destination first'),
  ],
  [40002, refused('the upload failed')],
  [40004, conflict('something of that name is already there', 'give another name, or set onConflict')],
  [40005, refused('the signature has expired')],
  [40006, refused('its storage policy takes no chunks through the site', BUG)],
  [40007, refused("the account's group may not do that", ADMIN)],
  [40011, refused('the upload session is gone, or is not of this login')],
  [40012, bad('there is no chunk of that number', BUG)],
  [40013, bad('the chunk has another length than was announced', 'was the source changed meanwhile?')],
  [40016, refused('the place does not exist')],
  [40017, refused('the user is banned', ADMIN)],
  [40018, refused('the user is not activated', 'open the link in the e-mail that the site has sent')],
  [40020, refused('the token is not good', LOGIN)],
  [40022, bad('the code is wrong', "give the authenticator's newest one")],
  [40026, bad('the captcha was read wrongly', LOGIN)],
  [40027, bad('the captcha is too old', LOGIN)],
  [40035, bad('there is no such storage policy', 'leave out destination.policyId, or give another')],
  [40044, refused('there is no such file')],
  [40049, refused('the file is too large for its storage policy', `use another policy, or ${ADMIN}`)],
  [40050, refused('the storage policy takes no files of this type', 'use another name or policy')],
  [40051, refused('there is no space left in the quota', 'free some, then retry the upload')],
  [
    40052,
    bad('the site takes no file of that name', 'give it another in destination.uri, or use another policy'),
  ],
  [40054, refused('another upload to the same place is not finished')],
  [40055, refused('the stored object has another size than was announced')],
  [40057, refused('the storage policy was changed meanwhile')],
  [40069, refused('the e-mail address or the password is wrong', 'give the right ones')],
  [40071, refused('the signature is wrong', 'is the clock of the node or of its site wrong?')],
  [40073, refused('the place is locked')],
  [40074, bad('too many places in one request', BUG)],
  [40075, refused('the lock has expired')],
  [40076, conflict('somebody has made a newer version of it', 'look at that first, then retry the upload')],
  [40077, refused('there is no such version')],
  [40078, refused('the file was deleted')],
  [40080, refused('the e-mail address or the password is wrong', 'give the right ones')],
  [40081, refused('a part of it failed')],
  [40082, refused('only the owner may do that')],
  [40088, refused('nobody may do that without a login', LOGIN)],
  [40089, refused('the login lacks a scope', 'import one with the scopes Files.Read and Files.Write')],
  [50001, trouble('its database failed', 'with SQLite, run fewer uploads at once')],
  [50002, refused('its encryption failed', ADMIN)],
  [50004, trouble('it could not store the bytes')],
  [50005, refused('it is not set up right', ADMIN)],
  [50006, trouble('its cache failed')],
  [50007, trouble('a node could not tell the site that it has the file', `${ADMIN} whether nodes reach it`)],
  [50010, meaning('later', 'the node that stores it is offline')],
  [50011, trouble('it could not ask the store about the object')],
])

const NODE_AGAIN_MS = 60_000

const meaningOf = (code: number): Meaning =>
  MEANINGS.get(code) ??
  (code >= 50_000 ? trouble('a failure that is new to us') : refused('a refusal that is new to us'))

/** The error that a code other than 0 is: `SiteTrouble`, `TryLater`, or `SiteRefusal`. */
export const errorOf = (said: Said): SiteRefusal | SiteTrouble | TryLater => {
  const { kind, means, todo } = meaningOf(said.code)
  const message = messageOf(said, means, todo)
  if (kind === 'trouble') return new SiteTrouble(message, said.code)
  if (kind === 'later') return new TryLater(message, NODE_AGAIN_MS * (1 + Math.random() / 2))
  return new SiteRefusal(kind, message, said)
}

const messageOf = ({ what, code, message, correlationId }: Said, means: string, todo?: string): string => {
  const quoted = message === '' ? '' : ` (“${message}”)`
  const trace = correlationId === undefined ? '' : `, correlation id ${correlationId}`
  return `${what} → code ${String(code)}: ${means}${quoted}${trace}${todo === undefined ? '' : `; ${todo}`}`
}

/** Whether the login is what is wrong, and not the request: an outdated token counts as none. */
export const isLoginGone = (code: number): boolean => [401, 40020, 40088].includes(code)

/** Whether the site refused with one of these codes. */
export const isRefusedWith = (error: unknown, wanted: readonly number[]): boolean => {
  const code = siteCode(error)
  return code !== undefined && wanted.includes(code)
}
