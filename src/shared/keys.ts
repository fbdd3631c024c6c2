/** Where everything lives in Redis. One hash tag in the prefix keeps every key in one slot. */
export const createKeys = (prefix: string) => ({
  prefix,
  upload: (id: string) => `${prefix}:upload:${id}`,
  digests: (id: string) => `${prefix}:upload:${id}:digests`,
  runs: (id: string) => `${prefix}:upload:${id}:runs`,
  parts: (id: string, epoch: number) => `${prefix}:upload:${id}:parts:${epoch}`,
  tickets: (id: string, epoch: number) => `${prefix}:upload:${id}:tickets:${epoch}`,
  sending: (id: string, epoch: number) => `${prefix}:upload:${id}:sending:${epoch}`,
  uploads: `${prefix}:uploads`,
  /** The index that answers a list with these filters. */
  uploadsBy: (filter: { account?: string | undefined; state?: string | undefined }) =>
    `${prefix}:uploads${filter.account === undefined ? '' : `:account:${filter.account}`}${
      filter.state === undefined ? '' : `:state:${filter.state}`
    }`,
  running: `${prefix}:running`,
  ended: `${prefix}:ended`,
  deadlines: `${prefix}:deadlines`,
  destination: (key: string) => `${prefix}:destination:${key}`,
  destinationQueue: (key: string) => `${prefix}:line:${key}`,
  idempotency: (key: string) => `${prefix}:idempotency:${key}`,
  binding: (name: string) => `${prefix}:binding:${name}`,
  versions: (account: string, destination: string) => `${prefix}:versions:${account}:${destination}`,
  account: (id: string) => `${prefix}:account:${id}`,
  accountActive: (id: string) => `${prefix}:active:${id}`,
  accountParked: (id: string) => `${prefix}:account:${id}:parked`,
  accountLeases: (id: string, kind: string) => `${prefix}:account:${id}:leases:${kind}`,
  accountLoginLock: (id: string) => `${prefix}:account:${id}:login-lock`,
  accountLoginSpent: (id: string) => `${prefix}:account:${id}:login-spent`,
  accounts: `${prefix}:accounts`,
  leader: `${prefix}:leader`,
  /** Written only to see whether Redis takes writes. */
  probe: `${prefix}:probe`,
  /** Channels. */
  wake: `${prefix}:wake`,
  cancel: `${prefix}:cancel`,
})

export type Keys = ReturnType<typeof createKeys>
