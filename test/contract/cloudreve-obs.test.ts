import { testEtags, testMissingEtag, testExpiry, testStoreRefusals } from './transport-refusals.ts'
import { testTransport } from './transport.ts'

testTransport('obs')
testStoreRefusals('obs')
testExpiry('obs')
testEtags('obs')
testMissingEtag('obs')
