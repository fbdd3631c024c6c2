import { seededRandom } from '../seeded-random.ts'
import { createBlobDisk } from './content.ts'
import { ApiError } from './envelope.ts'
import { createCloudreveLedger } from './ledger.ts'
import { createLocks } from './locks.ts'
import type { Settings, UserSpec } from './options.ts'
import { ensureFolder } from './records.ts'
import { abilitiesOf } from './server-version.ts'
import { createSessions } from './sessions.ts'
import type { Site } from './site.ts'
import { createTokens } from './tokens.ts'
import { createUser } from './users.ts'

/** Short and unlike each other, as hash ids are. */
const hashId = (number: number): string => ((number * 7919 + 46_656) * 31).toString(36)

export async function createSite(
  settings: Settings,
  { faults, now }: Pick<Site, 'faults' | 'now'>,
): Promise<Site> {
  let lastId = 100
  const { spuriousConflicts = 0, failCompletions = 0, failCallbacks = 0 } = settings
  const site: Site = {
    settings,
    switches: { spuriousConflicts, failCompletions, failCallbacks },
    abilities: abilitiesOf(settings.version),
    origin: 'http://127.0.0.1',
    ledger: createCloudreveLedger(),
    faults,
    hooks: {},
    violations: [],
    resentAcknowledged: 0,
    users: new Map(),
    tokens: createTokens(settings),
    pending: { captchas: new Map(), secondFactors: new Map() },
    sessions: createSessions(now),
    locks: createLocks(now),
    disk: await createBlobDisk(settings),
    stores: [],
    downloads: new Map(),
    busy: createBusy(settings),
    hashId,
    newId: () => hashId((lastId += 1)),
    now,
  }
  for (const user of settings.users) addUser(site, user)
  return site
}

export function addUser(site: Site, spec: UserSpec): void {
  const user = createUser(spec, site.newId())
  site.users.set(spec.email, user)
  ensureFolder(site, user, '')
}

/** 50001 and -1 by turns, as likely as the options say. */
function createBusy({ sqliteLocked }: Settings): Site['busy'] {
  const random = seededRandom(1)
  let count = 0
  return () => {
    if (sqliteLocked === 0 || random() >= sqliteLocked) return undefined
    count += 1
    return count % 2 === 0 ? new ApiError(-1) : new ApiError(50_001, 'database is locked')
  }
}

/** Better at the start than as a driver that fails. */
export function checkStores({ settings, stores }: Site): void {
  for (const { type, relay, id } of settings.policies) {
    const isServed = type === 'local' || relay || stores.some(({ kind }) => kind === type)
    if (!isServed)
      throw new Error(`policy ${id} needs a store of kind ${type}: give one in the option stores`)
  }
}
