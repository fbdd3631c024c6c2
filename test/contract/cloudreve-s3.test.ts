import {
  testEarlySuccess,
  testEtags,
  testMissingEtag,
  testExpiry,
  testStoreRefusals,
} from './transport-refusals.ts'
import { testTransport } from './transport.ts'

testTransport('s3')
testStoreRefusals('s3')
testExpiry('s3')
testEtags('s3')
testMissingEtag('s3')
testEarlySuccess('s3')
