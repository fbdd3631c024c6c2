import type { SeedFile } from './fake-cloudreve.ts'
import { checkNames, ensureFolder, makeCurrent, newEntity, newRecord, policyFor } from './records.ts'
import type { Site } from './site.ts'
import { parentOf, parseUri } from './uris.ts'

/** Puts a version there that no client of this run made; answers its entity id. */
export async function seedFile(site: Site, { uri, bytes, user, lastModified }: SeedFile): Promise<string> {
  const owner = user === undefined ? [...site.users.values()][0] : site.users.get(user)
  if (owner === undefined) throw new Error(`there is no user ${user ?? 'yet'} to own the file`)
  const { path } = parseUri(uri)
  checkNames(path)
  ensureFolder(site, owner, parentOf(path))
  const file = owner.tree.get(path) ?? newRecord(site, owner, { type: 'file', path })
  const blob = site.disk.create()
  await blob.write(0, once(Buffer.from(bytes)))
  const policy = policyFor(site, path)
  const content = { at: 'site' as const, blob }
  const entity = newEntity(site, { size: bytes.length, policy, sessionId: undefined, content })
  file.entities.push(entity)
  file.updatedAt = lastModified ?? Date.now()
  await makeCurrent(owner, file, entity)
  return entity.id
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
