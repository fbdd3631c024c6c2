import { z } from 'zod'
import { type FaultAction, createFaults, type FaultRule as Rule } from '../http/faults.ts'
import { type Operation, siteOperations } from './ledger.ts'
import { storeKinds } from './stores/store.ts'

const where = z.strictObject({
  user: z.string().optional(),
  sessionId: z.string().optional(),
  uri: z.string().optional(),
  chunkIndex: z.int().optional(),
})

export type FaultRule = Rule<Operation, z.output<typeof where>>

/** Site operations by name; a store's by its kind, a dot and whatever the store calls it. */
const operation = z.union([z.enum(siteOperations), z.templateLiteral([z.enum(storeKinds), '.', z.string()])])

export const createCloudreveFaults = () => createFaults({ operation, where })

/** Answers this envelope without processing the request, as most of Cloudreve's errors come: with HTTP 200. */
export function codeInstead(code: number, msg = '', data?: unknown): FaultAction {
  return { kind: 'status', status: 200, body: { code, msg, data }, early: false }
}

/** Processes the request, then answers this envelope all the same. */
export function codeAfter(code: number, msg = '', data?: unknown): FaultAction {
  return { kind: 'status-after', status: 200, body: { code, msg, data } }
}
