import { testExpiry, testStoreRefusals } from './transport-refusals.ts'
import { testTransport } from './transport.ts'

testTransport('upyun')
testStoreRefusals('upyun')
testExpiry('upyun')
