import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { findCanaries } from '../test/support/canaries.ts'
import type { Canary } from '../test/support/canaries.ts'
import { askFake, hear } from '../test/support/programs/fake.ts'
import type { Testimony } from '../test/support/programs/fake.ts'
import type { Workspace } from '../test/support/programs/workspace.ts'
import { leftInRedis } from './leftovers.ts'
import type { Kill } from './kills.ts'
import type { Plan } from './plan.ts'
import type { Account, Service, Upload } from './service.ts'
import type { Stage } from './stage.ts'
import type { Accepted } from './submit.ts'

const remoteFile = z.object({
  id: z.string(),
  owner: z.string(),
  name: z.string(),
  versions: z.array(z.object({ version: z.number(), status: z.string(), deleted: z.boolean() })),
})

const state = z.object({
  files: z.array(remoteFile),
  openVersions: z.array(z.object({ fileId: z.string(), version: z.number(), status: z.string() })),
})

const call = z.object({
  time: z.number(),
  endedAt: z.number().optional(),
  operation: z.string(),
  user: z.string().optional(),
  status: z.union([z.number(), z.literal('none')]),
})

/** A request that came to the fake. */
export type Call = z.infer<typeof call>

const firedRule = z.object({ fired: z.number() })

/** All that is known when it is over. */
export interface Evidence {
  readonly accepted: readonly Accepted[]
  readonly kills: readonly Kill[]
  /** What the service says. */
  readonly uploads: readonly Upload[]
  readonly counts: Readonly<Record<string, number>>
  readonly accounts: readonly Account[]
  /** What the fake says. */
  readonly testimony: Testimony
  readonly remote: z.infer<typeof state>
  readonly calls: readonly Call[]
  /** Keys in Redis that hold something though nothing goes on. */
  readonly left: readonly string[]
  /** Secrets that were found in logs, a sentence each. */
  readonly leaks: readonly string[]
  /** How often each kind of fault came. */
  readonly fired: Readonly<Record<string, number>>
}

interface Scene {
  readonly plan: Plan
  readonly stage: Stage
  readonly service: Service
  readonly workspace: Workspace
  readonly secrets: readonly Canary[]
  readonly accepted: readonly Accepted[]
  readonly kills: readonly Kill[]
}

/** Asks everybody, with nothing going on any more. */
export async function collectEvidence(scene: Scene): Promise<Evidence> {
  const { plan, stage, service, workspace, secrets, accepted, kills } = scene
  const left = await leftInRedis(stage)
  const rules = await askFake(stage, 'GET /faults', z.array(firedRule))
  return {
    accepted,
    kills,
    left,
    uploads: await service.uploads(),
    counts: await service.counts(),
    accounts: await service.accounts(),
    testimony: await hear(stage),
    remote: await askFake(stage, 'GET /state', state),
    calls: await askFake(stage, 'GET /ledger', z.array(call)),
    fired: Object.fromEntries(plan.faults.map(({ name }, index) => [name, rules[index]?.fired ?? 0])),
    leaks: await leaksIn(workspace, secrets),
  }
}

/** Every request that the fake ever saw, for a person to look into. */
export async function keepLedger(stage: Stage, { logs }: Workspace): Promise<void> {
  const entries = await askFake(stage, 'GET /ledger', z.array(z.unknown()))
  const lines = entries.map((entry) => JSON.stringify(entry))
  await writeFile(join(logs, 'fake-ledger.jsonl'), lines.join('\n'), { mode: 0o600 })
}

/** In what any process of the service wrote, and Redis; the fake is the provider, and knows them all. */
async function leaksIn({ logs, data }: Workspace, secrets: readonly Canary[]): Promise<string[]> {
  const names = (await readdir(logs)).filter((name) => name !== 'fake.log')
  const paths = [...names.map((name) => join(logs, name)), join(data, 'redis.log')]
  const places = await Promise.all(paths.map(async (path) => ({ name: path, content: await readFile(path) })))
  return findCanaries(places, secrets)
}
