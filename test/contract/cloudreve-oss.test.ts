import { testEtags, testExpiry, testStoreRefusals } from './transport-refusals.ts'
import { testTransport } from './transport.ts'

testTransport('oss')
testStoreRefusals('oss')
testExpiry('oss')
testEtags('oss')
