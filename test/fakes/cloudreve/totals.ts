import { sha256Of, storedSize } from './entity-bytes.ts'
import type { FileTotals, Totals } from './fake-cloudreve.ts'
import { type Owned, everything, placeholdersOf } from './inspection.ts'
import type { LedgerEntry } from './ledger.ts'
import type { Site } from './site.ts'
import type { Entity } from './tree.ts'
import { uriOf } from './uris.ts'

/** Reads every file once for its digest, so it takes its time on large ones. */
export async function totalsOf(site: Site): Promise<Totals> {
  const { entries } = site.ledger
  const brought = entries.filter(isContent)
  const byFile = Map.groupBy(brought, ({ user, uri }) => `${user} ${uri}`)
  const files: FileTotals[] = []
  for (const { user, record } of everything(site)) {
    if (record.primary === undefined) continue
    const requests = byFile.get(`${user.email} ${uriOf(record.path)}`) ?? []
    files.push(await fileTotals(site, { user, record }, { entity: record.primary, requests }))
  }
  const placeholders = placeholdersOf(site)
  const requests = Object.entries(Object.groupBy(entries, ({ operation }) => operation))
  return {
    files,
    placeholders: placeholders.length,
    reservedBytes: sum(placeholders.map(({ reserved }) => reserved)),
    receivedBytes: sum(brought.map(({ bytes }) => bytes)),
    declaredBytes: sum(files.map(({ declaredSize }) => declaredSize)),
    storedBytes: sum(files.map(({ storedBytes }) => storedBytes)),
    unfinished: Object.fromEntries(site.stores.map(({ kind, unfinished }) => [kind, unfinished()])),
    requests: Object.fromEntries(requests.map(([operation, list]) => [operation, list?.length ?? 0])),
    resentAcknowledged: site.resentAcknowledged,
    violations: site.violations.length,
  }
}

/** Store requests that only complete are among them: their bodies are small, and they are bytes as well. */
function isContent({ operation }: LedgerEntry): boolean {
  return operation === 'sendChunk' || operation === 'putContent' || operation.includes('.')
}

async function fileTotals(
  { settings }: Site,
  { user, record }: Owned,
  { entity, requests }: { entity: Entity; requests: LedgerEntry[] },
): Promise<FileTotals> {
  return {
    uri: uriOf(record.path),
    user: user.email,
    policyId: entity.policy.id,
    encrypted: entity.encryption !== undefined,
    declaredSize: entity.size,
    storedBytes: await storedSize(entity),
    receivedBytes: sum(requests.map(({ bytes }) => bytes)),
    sha256: await sha256Of(entity, settings.keepContent),
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
