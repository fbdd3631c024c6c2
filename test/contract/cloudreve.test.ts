import { openCloudreve, providerTraits, stagedKinds } from './cloudreve-stage.ts'
import { testProvider } from './provider.ts'

for (const kind of stagedKinds) {
  testProvider(`cloudreve, ${kind}`, (opening) => openCloudreve(kind, opening), providerTraits(kind))
}
