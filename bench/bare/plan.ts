import { z } from 'zod'

const work = z.object({
  baseUrl: z.string(),
  password: z.string(),
  /** Sent before anything is measured, so that code is compiled and connections are there. */
  warmUp: z.array(z.string()),
  files: z.array(z.string()),
  uploadsAtOnce: z.number(),
  /** Of one upload. */
  partsAtOnce: z.number(),
  /** Where signatures and the like are written to. */
  scratch: z.string(),
  /** `none` hashes nothing and sends zeros from memory: what the other side can take at the most. */
  hashing: z.enum(['all', 'none']),
})

const vrchatPlan = work.extend({
  provider: z.literal('vrchat'),
  username: z.string(),
  totpSecret: z.string(),
  partSize: z.number(),
  hashThreads: z.number(),
})

const cloudrevePlan = work.extend({
  provider: z.literal('cloudreve'),
  email: z.string(),
  /** Where the files go, such as `cloudreve://my/s3/`. */
  folder: z.string(),
})

/** What a bare loop is to do. Sizes in bytes. */
export const barePlan = z.discriminatedUnion('provider', [vrchatPlan, cloudrevePlan])

export type BarePlan = z.infer<typeof barePlan>
export type VrchatPlan = z.infer<typeof vrchatPlan>
export type CloudrevePlan = z.infer<typeof cloudrevePlan>

export const bareResult = z.object({
  wallMs: z.number(),
  /** Of all threads, user and system. */
  cpuMs: z.number(),
  peakBytes: z.number(),
})

export type BareResult = z.infer<typeof bareResult>
