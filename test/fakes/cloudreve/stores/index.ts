import { createCosStore } from './cos.ts'
import type { StoreHost } from './host.ts'
import { createKs3Store } from './ks3.ts'
import { createObsStore } from './obs.ts'
import { type OnedriveOptions, createOnedriveStore } from './onedrive.ts'
import { createOssStore } from './oss.ts'
import { createQiniuStore } from './qiniu.ts'
import { type RemoteOptions, createRemoteStore } from './remote.ts'
import { createS3Store } from './s3.ts'
import { type Store, type StoreKind, storeKinds } from './store.ts'
import { createUpyunStore } from './upyun.ts'

export type StoreOptions = RemoteOptions & OnedriveOptions

const creators: Record<StoreKind, (host: StoreHost, options: StoreOptions) => Promise<Store>> = {
  remote: createRemoteStore,
  s3: createS3Store,
  ks3: createKs3Store,
  oss: createOssStore,
  cos: createCosStore,
  obs: createObsStore,
  onedrive: createOnedriveStore,
  qiniu: createQiniuStore,
  upyun: createUpyunStore,
}

/** Starts one store of each of these kinds, all of them unless told otherwise. */
export function openStores(
  host: StoreHost,
  kinds: readonly StoreKind[] = storeKinds,
  options: StoreOptions = {},
): Promise<readonly Store[]> {
  return Promise.all(kinds.map((kind) => creators[kind](host, options)))
}
