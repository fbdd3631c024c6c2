import { z } from 'zod'
import { ProgramFailed } from './failure.ts'
import { script } from './script.ts'

const fakeFacts = z.object({
  baseUrl: z.string(),
  controlUrl: z.string(),
  user: z.object({
    username: z.string(),
    password: z.string(),
    secondFactor: z.object({ kind: z.literal('totp'), secret: z.string() }),
  }),
  cloudreve: z.object({
    baseUrl: z.string(),
    controlUrl: z.string(),
    user: z.object({ email: z.string(), password: z.string() }),
  }),
})

/** Where the fake VRChat and the fake Cloudreve are, a process of their own, and who has an account there. */
export type FakeFacts = z.infer<typeof fakeFacts>

/** Flags that start the fakes on free ports, with all that arrives in this folder. */
export const fakeProgram = (arrived: string, flags: readonly string[] = []) => ({
  name: 'fake',
  args: [
    script('test/fakes/main.ts'),
    '--json',
    '--port',
    '0',
    '--storage-port',
    '0',
    '--directory',
    arrived,
    ...flags,
  ],
  ready: (log: string): FakeFacts | undefined =>
    log.includes('\n') ? fakeFacts.parse(JSON.parse(log.split('\n')[0] ?? '')) : undefined,
})

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
  endedAt: z.number().optional(),
  user: z.string().optional(),
  fileId: z.string().optional(),
  version: z.number().optional(),
  fileType: z.string().optional(),
  partNumber: z.number().default(1),
  bytes: z.number(),
  fault: z.string().optional(),
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

/** How one of the fakes is reached. */
export interface Reach {
  readonly fake: Pick<FakeFacts, 'controlUrl'>
  readonly signal: AbortSignal
}

/** Asks the fake for all that arrived, with the digests of what it has on its disk. */
export async function hear(reach: Reach): Promise<Testimony> {
  return {
    totals: await askFake(reach, 'GET /totals', totals),
    sendings: await askFake(reach, 'GET /ledger?operation=putPart', z.array(sending)),
    violations: await askFake(reach, 'GET /violations', z.array(z.string())),
  }
}

/** One request to the fake's control interface, such as `POST /faults`. */
export async function askFake<Answer>(
  { fake, signal }: Reach,
  what: string,
  schema: z.ZodType<Answer>,
  body?: unknown,
): Promise<Answer> {
  const [method = '', path = ''] = what.split(' ')
  const answer = await fetch(`${fake.controlUrl}${path}`, {
    method,
    signal,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!answer.ok)
    throw new ProgramFailed(`The fake answers ${answer.status} to ${what}`, [await answer.text()])
  return schema.parse(await answer.json())
}
