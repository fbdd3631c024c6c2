import type { Logger } from 'pino'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Stores } from '#shared/stores.ts'
import type { LedgerEntry } from '../../fakes/http/ledger.ts'
import type { Canary } from '../../support/canaries.ts'
import type { Trouble } from './troubles.ts'

/** A service with its fake, as far as the providers' are alike. */
export interface FaultyService extends AsyncDisposable {
  readonly stores: Stores
  readonly fake: {
    readonly ledger: readonly LedgerEntry[]
    readonly violations: readonly string[]
    readonly faults: { readonly addUnchecked: (rule: unknown) => { readonly fired: number } }
  }
}

/** One kind of call to a provider: how an upload comes to it, and what has to be there in the end. */
export interface Call {
  readonly name: string
  readonly operation: string
  /** What else of the ledger entry must be so. */
  readonly where?: Readonly<Record<string, string | number>>
  /** How often each operation takes effect in the end, beside what every upload needs. */
  readonly effects?: Readonly<Partial<Record<string, number>>>
  /**
   * `once`: one that took effect is not sent again, whatever became of its answer. `again`: it is, as there is no
   * other way to learn what it answered. `asks`: it is, and does nothing the second time. `free`: it changes nothing.
   */
  readonly repeats: 'once' | 'again' | 'asks' | 'free'
  /** Undoes what took effect and was not answered, before it is sent again. */
  readonly undoneBy?: string
  readonly ends?: 'cancelled'
  /** Attempts that the way to the call itself uses. */
  readonly attempts?: number
  /** The call may fail for good: nothing but a hint comes from it, and so it is sent once. */
  readonly optional?: boolean
}

/** What calls and their ends are like at one provider, and who can tell. */
export interface Subject<Kind extends Call, Service extends FaultyService> {
  readonly account: string
  /** Bytes of what is uploaded, in parts of so many. */
  readonly size: number
  readonly partSize: number
  readonly open: (call: Kind, trouble: Trouble, log: Logger) => Promise<Service>
  /** Accepts the upload, and brings it to the call; answers its id. */
  readonly begin: (service: Service, call: Kind, content: Buffer) => Promise<string>
  /** How often each operation takes effect for any upload; those that are not here change nothing. */
  readonly needed: (call: Kind) => Readonly<Partial<Record<string, number>>>
  readonly isDone: (entry: LedgerEntry) => boolean
  readonly isPart: (entry: LedgerEntry) => boolean
  /** Whatever is half-made and still there; one sentence each. */
  readonly unfinished: (service: Service) => Promise<string[]>
  /** What is wrong with the version that is there. */
  readonly wrongVersion: (seen: Seen<Kind, Service>) => Promise<string[]>
  /** What is there though the upload came to nothing. */
  readonly leftovers: (service: Service) => Promise<string[]>
  /** Bytes of all blobs that were sent. */
  readonly declared: (service: Service) => number
  readonly canaries: (service: Service) => readonly Canary[]
}

/** All that was seen of one call that met one trouble. */
export interface Seen<Kind extends Call, Service extends FaultyService> {
  readonly service: Service
  readonly call: Kind
  readonly trouble: Trouble
  readonly record: UploadRecord
  readonly sha256: string
  readonly faults: readonly { readonly fired: number }[]
  /** Log lines, and whatever the record said meanwhile that it waits for. */
  readonly said: readonly string[]
  /** What was wrong on the way. */
  readonly wrong: readonly string[]
}

/** Whether a request is one of this call. */
export const isFor = ({ operation, where = {} }: Call, entry: LedgerEntry): boolean => {
  const fields = new Map<string, unknown>(Object.entries(entry))
  return (
    entry.operation === operation &&
    Object.entries(where).every(([field, value]) => fields.get(field) === value)
  )
}
