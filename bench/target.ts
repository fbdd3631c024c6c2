import { basename } from 'node:path'
import type { Limits } from '#shared/providers/provider.ts'
import type { FakeFacts } from '../test/support/programs/fake.ts'
import type { BarePlan, CloudrevePlan, VrchatPlan } from './bare/plan.ts'
import type { Client } from './client.ts'
import { MIB } from './figures.ts'

/** Where the files of a scenario go. Sizes in bytes. */
export type Target =
  | { readonly provider: 'vrchat'; readonly partSize: number; readonly minPartSize?: number }
  /** The site decides how files are cut. */
  | { readonly provider: 'cloudreve'; readonly policy: 'local' | 's3' }

/** A folder of which the fake takes the bytes by itself, or has them sent to its store. */
const folderOf = (policy: string): string => `cloudreve://my/${policy}/`

export async function addAccount(client: Client, to: Target, limits: Partial<Limits>): Promise<void> {
  if (to.provider === 'cloudreve') return client.addDrive(limits)
  return client.addAccount(limits, { minPartSize: to.minPartSize ?? 5 * MIB })
}

export async function upload(client: Client, to: Target, path: string): Promise<void> {
  if (to.provider === 'cloudreve') return client.uploadTo(folderOf(to.policy), path)
  await client.upload(path, basename(path), { partSize: to.partSize })
}

type Own = 'provider' | 'baseUrl' | 'password'
type Of<Plan extends BarePlan> = Pick<Plan, Own> & Omit<Plan, keyof VrchatPlan & keyof CloudrevePlan>

/** What the bare loop has to know of the other side. */
export function planTo(
  to: Target,
  { baseUrl, user, cloudreve }: FakeFacts,
  hashThreads: number,
): Of<VrchatPlan> | Of<CloudrevePlan> {
  if (to.provider === 'cloudreve') {
    return {
      provider: 'cloudreve',
      baseUrl: cloudreve.baseUrl,
      ...cloudreve.user,
      folder: folderOf(to.policy),
    }
  }
  const { username, password, secondFactor } = user
  const login = { username, password, totpSecret: secondFactor.secret }
  return { provider: 'vrchat', baseUrl, ...login, partSize: to.partSize, hashThreads }
}
