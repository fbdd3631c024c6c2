import { z } from 'zod'
import { limitsRequest } from '#shared/accounts/records.ts'
import type { Provider } from '#shared/providers/provider.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const LONGEST_DEADLINE_MS = 365 * DAY_MS

/** Characters of a provider's longest id of a file, such as a URI with every one of them escaped. */
export const MOST_ID = 6000

export const accountId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be 1 to 63 of a-z, 0-9, - and _, and not begin with - or _')
  .meta({ description: 'Names the account in every request', example: 'main' })

export const uploadId = z.string().regex(/^upl_[0-9a-z]{1,40}$/, 'must look like upl_<id>')

const limits = limitsRequest.meta({ description: "What is left out is the provider's default" })

const deadline = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2027-01-31T12:00:00Z', abort: true })
  .refine((text) => Date.parse(text) > Date.now(), { error: 'must be in the future', abort: true })
  .refine((text) => Date.parse(text) < Date.now() + LONGEST_DEADLINE_MS, 'must be within a year')
  .meta({ description: 'When to give up, whatever the reason for waiting is' })

/** Beside the provider's own fields, the same for all providers. */
const uploadShape = {
  account: accountId,
  source: z
    .string()
    .min(1)
    .max(16_384)
    .meta({ description: 'URL of a file under a source root', example: 'file:///srv/builds/world.vrcw' }),
  priority: z
    .int()
    .min(0)
    .max(1000)
    .default(100)
    .meta({ description: 'Lower goes first among the waiting uploads of an account' }),
  deadline: deadline.optional(),
}

/** What `POST /v1/uploads` has after the check; `provided` holds the provider's own fields. */
export interface UploadRequest {
  readonly provider: string
  readonly account: string
  readonly source: string
  readonly priority: number
  readonly deadline?: string | undefined
  readonly provided: Record<string, unknown>
}

export interface AccountRequest {
  readonly id: string
  readonly provider: string
  readonly limits: z.infer<typeof limitsRequest>
  readonly settings: unknown
  readonly credentials: Record<string, unknown>
}

export interface AccountPatch {
  readonly limits: z.infer<typeof limitsRequest>
  readonly settings: Record<string, unknown>
  /** A secret that is null is forgotten. */
  readonly credentials: Record<string, unknown>
}

/** The request bodies that depend on the provider, made of its own schemas; unknown fields are refused. */
export function createRequests(providers: readonly Provider[]) {
  const byName = new Map(providers.map((provider) => [provider.name, provider]))
  const patches = new Map(providers.map((provider) => [provider.name, patchOf(provider)]))
  const providerOf = (name: string): Provider => {
    const provider = byName.get(name)
    if (provider === undefined) throw new Error(`There is no provider called ${name}`)
    return provider
  }

  return {
    upload: unionOf(providers, ({ uploadRequest }) => uploadRequest.extend(uploadShape)).transform(
      (body): UploadRequest => {
        const common = commonUpload.parse(body)
        return { ...common, provided: pick(body, providerOf(common.provider).uploadRequest.shape) }
      },
    ),

    account: unionOf(providers, ({ accountRequest }) =>
      accountRequest.extend({ id: accountId, limits: limits.optional() }),
    ).transform((body): AccountRequest => {
      const { id, provider: name, limits = {} } = commonAccount.parse(body)
      const provider = providerOf(name)
      const credentials = pick(body, provider.credentials.shape)
      return { id, provider: name, limits, credentials, settings: provider.settings.parse(body) }
    }),

    /** For the documentation: which of these holds depends on the account's provider. */
    anyPatch: z.union([...patches.values()]),

    patch: (providerName: string, body: unknown): z.ZodSafeParseResult<AccountPatch> => {
      const provider = providerOf(providerName)
      return patchSchema(patches.get(providerName) ?? z.never(), provider).safeParse(body)
    },
  }
}

const commonUpload = z.object({ provider: z.string(), ...uploadShape, deadline: z.string().optional() })
const commonAccount = z.object({ provider: z.string(), id: z.string(), limits: limitsRequest.optional() })

function unionOf(providers: readonly Provider[], schemaOf: (provider: Provider) => z.ZodObject) {
  const [first, ...rest] = providers.map((provider) =>
    schemaOf(provider).extend({ provider: z.literal(provider.name) }),
  )
  if (first === undefined) throw new Error('There are no providers')
  const names = providers.map(({ name }) => name).join(', ')
  return z.discriminatedUnion('provider', [first, ...rest], { error: `must be one of ${names}` })
}

/** All fields of an account that may be changed, none of them required or filled in. */
function patchOf({ credentials, settings }: Provider): z.ZodObject {
  return z.strictObject({
    ...mapShape(settings.shape, (schema) => withoutDefault(schema).optional()),
    ...mapShape(credentials.shape, (schema) => withoutDefault(schema).nullable().optional()),
    limits: limits.optional(),
  })
}

const patchSchema = (schema: z.ZodType, { settings, credentials }: Provider) =>
  schema.transform((body): AccountPatch => {
    const fields = z.looseObject({ limits: limitsRequest.optional() }).parse(body)
    return {
      limits: fields.limits ?? {},
      settings: pick(fields, settings.shape),
      credentials: pick(fields, credentials.shape),
    }
  })

const mapShape = (shape: z.core.$ZodShape, change: (schema: z.ZodType) => z.ZodType) =>
  Object.fromEntries(Object.entries(shape).map(([name, schema]) => [name, change(asSchema(schema))]))

// A default would put back what was set before, and an optional around it does not keep it from doing so.
function withoutDefault(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodDefault ? asSchema(schema.unwrap()) : schema
}

/** The type of a shape names only the core that its schemas share with zod/mini. */
function asSchema(schema: unknown): z.ZodType {
  if (schema instanceof z.ZodType) return schema
  throw new TypeError('A provider describes its requests with schemas of zod')
}

const pick = (from: Readonly<Record<string, unknown>>, shape: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(from).filter(([name]) => Object.hasOwn(shape, name)))
