import { UnknownRecord } from '../records/upload.ts'
import type { Provider } from './provider.ts'
import { createCloudreve } from './cloudreve/index.ts'
import { createVrchat } from './vrchat/index.ts'

/** Finds a provider by name. Throws `UnknownRecord` for one that only another version of Stevedore has. */
export type Providers = (name: string) => Provider

/** Every provider: one line each. */
export const createProviderList = (): readonly Provider[] => [createVrchat(), createCloudreve()]

export const createProviders = (list: readonly Provider[] = createProviderList()): Providers => {
  const byName = new Map(list.map((provider) => [provider.name, provider]))
  return (name) => {
    const provider = byName.get(name)
    if (provider === undefined) throw new UnknownRecord(`There is no provider called ${name}`)
    return provider
  }
}
