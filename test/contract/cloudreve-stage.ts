import type { FaultRule } from '../fakes/cloudreve/server.ts'
import type { FaultKind, FaultStep, Opening, Stage, Traits } from './provider.ts'
import { CHUNK_SIZE, openTransport, traits, type Kind, type TransportStage } from './transport-stage.ts'

/** The kinds of storage policy that differ most: through the site, at a store in any order, at one in order. */
export const stagedKinds = ['local', 's3', 'onedrive'] as const satisfies readonly Kind[]

export interface CloudreveStage extends Omit<TransportStage, 'traits'>, Stage {}

const actions = {
  'lost-reply': 'lost-reply',
  cut: 'reset-mid-body',
  hang: 'hang',
  unavailable: { kind: 'status', status: 503 },
  page: { kind: 'html', status: 200 },
  'slow-down': { kind: 'status', status: 429, headers: { 'retry-after': '30' } },
  'wrong-etag': 'wrong-etag',
} as const satisfies Record<FaultKind, FaultRule['action']>

type Where = Pick<FaultRule, 'operation' | 'where'>

/** What a file is finished with: by requests of its own, or by its last part, which is the second of two. */
const finishes = (kind: Kind): readonly Where[] => {
  const { part, after } = traits[kind]
  if (after.length > 0) return after.map((operation) => ({ operation }))
  return [{ operation: part, where: { chunkIndex: 1 } }]
}

const requests = (kind: Kind): Record<FaultStep, readonly Where[]> => ({
  // A place is made with its session.
  'create-place': [{ operation: 'createSession' }],
  'create-session': [{ operation: 'createSession' }],
  part: [{ operation: traits[kind].part }],
  finish: finishes(kind),
  read: [{ operation: 'info' }],
})

/** In what Cloudreve with such a policy differs from other providers. */
export const providerTraits = (kind: Kind): Traits => ({
  knowsMd5: false,
  etags: traits[kind].etag !== undefined,
  partsNeedLogin: traits[kind].throughSite === true,
  looksAtOnce: false,
  forgetsParts: kind === 'onedrive',
})

/** The Cloudreve provider against a fake site with one storage policy of this kind, with waits of milliseconds. */
export async function openCloudreve(kind: Kind, opening: Opening = {}): Promise<CloudreveStage> {
  const policy = { deniedSuffix: ['denied'] }
  const { traits: _, ...stage } = await openTransport(kind, { ...opening, policy })
  const { fake } = stage
  let names = 0
  return {
    ...stage,
    partSize: CHUNK_SIZE,
    newRequest: (more) => {
      names += 1
      return { destination: { uri: `cloudreve://my/new folder/file ${names}.bin` }, ...more }
    },
    requestFor: ({ remoteId }) => ({ destination: { uri: remoteId } }),
    lostRequest: () => ({ destination: { uri: 'cloudreve://my/no such.denied' } }),
    fault: (step, faultKind, nth) => {
      const which = nth === undefined ? { times: 1 } : { nth }
      for (const request of requests(kind)[step]) {
        fake.faults.add({ ...request, ...which, action: actions[faultKind] })
      }
    },
    creates: ['create-session'],
    expireLogins: fake.revokeLogins,
    passwordLogins: () => stage.count('login'),
    contents: async ({ remoteId, number, size }) => {
      const file = (await fake.files()).find(({ uri }) => uri === remoteId)
      // An empty file has no content that could be read.
      if (size === 0 && file?.size === 0) return Buffer.alloc(0)
      return fake.contents(String(number))
    },
    places: async () => (await fake.files()).filter(({ type }) => type === 'file').length,
    unfinished: () => unfinishedAt(stage),
    violations: () => fake.violations,
    secrets: stage.secrets,
  }
}

/** The most that anybody still holds: placeholders, and whatever lies at the store. */
const unfinishedAt = ({ fake }: Pick<TransportStage, 'fake'>): number =>
  Math.max(fake.placeholders().length, ...fake.stores.map((store) => store.unfinished()))
