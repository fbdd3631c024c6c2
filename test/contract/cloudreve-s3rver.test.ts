import { createS3rverStore } from '../fakes/cloudreve/stores/s3rver.ts'
import { openTransport } from './transport-stage.ts'
import { testTransport } from './transport.ts'

// An S3 that nobody here wrote.
testTransport(
  's3',
  (opening) => openTransport('s3', opening, async (host) => [await createS3rverStore(host)]),
  's3rver',
)
