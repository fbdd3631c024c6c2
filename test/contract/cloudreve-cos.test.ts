import { testEtags, testMissingEtag, testExpiry, testStoreRefusals } from './transport-refusals.ts'
import { testTransport } from './transport.ts'

testTransport('cos')
testStoreRefusals('cos')
testExpiry('cos')
testEtags('cos')
testMissingEtag('cos')
