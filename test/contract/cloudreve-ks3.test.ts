import { testEtags, testMissingEtag, testExpiry, testStoreRefusals } from './transport-refusals.ts'
import { testTransport } from './transport.ts'

testTransport('ks3')
testStoreRefusals('ks3')
testExpiry('ks3')
testEtags('ks3')
testMissingEtag('ks3')
