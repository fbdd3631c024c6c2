import { testProvider } from './provider.ts'
import { openVrchat } from './vrchat-stage.ts'

testProvider('vrchat', openVrchat, {
  knowsMd5: true,
  etags: true,
  partsNeedLogin: true,
  looksAtOnce: true,
  forgetsParts: false,
})
