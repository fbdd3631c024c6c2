import { testStoreRefusals } from './transport-refusals.ts'
import { testTransport } from './transport.ts'

testTransport('remote')
testStoreRefusals('remote')
