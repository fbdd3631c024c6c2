import { z } from 'zod'
import { DemoFailed } from './failure.ts'
import type { Stage } from './stage.ts'

const blob = z.object({
  fileId: z.string(),
  version: z.number(),
  fileType: z.string(),
  versionStatus: z.string(),
  declaredSize: z.number(),
  storedBytes: z.number(),
  sha256: z.string().optional(),
})

const totals = z.object({
  blobs: z.array(blob),
  files: z.number(),
  completeVersions: z.number(),
  openVersions: z.number(),
  receivedBytes: z.number(),
  declaredBytes: z.number(),
})

const sending = z.object({
  time: z.number(),
  fileId: z.string().optional(),
  fileType: z.string().optional(),
  partNumber: z.number().default(1),
  bytes: z.number(),
})

/** One request that brought bytes of a part. */
export type Sending = z.infer<typeof sending>

/** What the fake saw: the witness that is not us. */
export interface Testimony {
  readonly totals: z.infer<typeof totals>
  readonly sendings: readonly Sending[]
  /** What was done against VRChat's rules, one sentence each. */
  readonly violations: readonly string[]
}

/** Asks the fake for all that arrived, with the digests of what it has on its disk. */
export async function hear({ fake, signal }: Stage): Promise<Testimony> {
  const ask = async <Answer>(path: string, schema: z.ZodType<Answer>): Promise<Answer> => {
    const answer = await fetch(`${fake.controlUrl}${path}`, { signal })
    if (!answer.ok) throw new DemoFailed(`The fake answers ${answer.status} to ${path}`)
    return schema.parse(await answer.json())
  }
  return {
    totals: await ask('/totals', totals),
    sendings: await ask('/ledger?operation=putPart', z.array(sending)),
    violations: await ask('/violations', z.array(z.string())),
  }
}
