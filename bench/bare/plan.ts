import { z } from 'zod'

/** What a bare loop is to do. Sizes in bytes. */
export const barePlan = z.object({
  baseUrl: z.string(),
  username: z.string(),
  password: z.string(),
  totpSecret: z.string(),
  /** Sent before anything is measured, so that code is compiled and connections are there. */
  warmUp: z.array(z.string()),
  files: z.array(z.string()),
  uploadsAtOnce: z.number(),
  /** Of one upload. */
  partsAtOnce: z.number(),
  partSize: z.number(),
  hashThreads: z.number(),
  /** Where signatures are written to. */
  scratch: z.string(),
  /** `none` hashes nothing and sends zeros from memory: what the other side can take at the most. */
  hashing: z.enum(['all', 'none']),
})

export type BarePlan = z.infer<typeof barePlan>

export const bareResult = z.object({
  wallMs: z.number(),
  /** Of all threads, user and system. */
  cpuMs: z.number(),
  peakBytes: z.number(),
})

export type BareResult = z.infer<typeof bareResult>
