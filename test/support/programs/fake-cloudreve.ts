import { z } from 'zod'
import { askFake } from './fake.ts'
import type { Reach } from './fake.ts'

const file = z.object({
  uri: z.string(),
  type: z.enum(['file', 'folder']),
  size: z.number(),
  /** Hex, of the bytes on the fake's disk; absent where there are none. */
  sha256: z.string().optional(),
  entities: z.array(z.object({ storedSize: z.number(), isCurrent: z.boolean() })),
})

const state = z.object({
  files: z.array(file),
  placeholders: z.array(z.object({ uri: z.string(), reserved: z.number() })),
  sessions: z.array(z.object({ uri: z.string() })),
  /** Uploads that the stores hold half-made, by kind of store. */
  unfinished: z.record(z.string(), z.number()),
})

const sending = z.object({
  /** Of the file that it is for. */
  uri: z.string().default(''),
  /** From 0. */
  chunkIndex: z.number(),
  bytes: z.number(),
})

/** What the fake Cloudreve and its stores saw: the witness that is not us. */
export interface CloudreveTestimony extends z.infer<typeof state> {
  /** Requests that brought bytes of a chunk. */
  readonly sendings: readonly z.infer<typeof sending>[]
  /** What was done against the protocol, one sentence each. */
  readonly violations: readonly string[]
}

/** Asks for all that is there, and for what the ledger has of these operations. */
export async function hearCloudreve(
  reach: Reach,
  operations: readonly string[],
): Promise<CloudreveTestimony> {
  const sendings = operations.map(async (operation) =>
    askFake(reach, `GET /ledger?operation=${operation}`, z.array(sending)),
  )
  return {
    ...(await askFake(reach, 'GET /state', state)),
    sendings: (await Promise.all(sendings)).flat(),
    violations: await askFake(reach, 'GET /violations', z.array(z.string())),
  }
}
