import { testProvider } from './provider.ts'
import { openVrchat } from './vrchat-stage.ts'

testProvider('vrchat', openVrchat)
