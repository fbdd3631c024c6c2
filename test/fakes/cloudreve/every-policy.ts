import type { PolicySpec } from './options.ts'
import { storeKinds } from './stores/store.ts'

/** One policy of each kind, each below a folder of its name such as `/s3`; everything else is local. */
export const everyPolicy: PolicySpec[] = [
  { type: 'local', chunkConcurrency: 3 },
  { type: 's3', name: 'relay', id: 'relay', folder: '/relay', relay: true },
  ...storeKinds.map((type) => ({ type, id: type, folder: `/${type}`, chunkConcurrency: 3 })),
]
