/** Where the demo's files go. */
export interface Place {
  readonly provider: 'vrchat' | 'cloudreve'
  /** For people: the provider, and the storage policy where it has such. */
  readonly title: string
  /** A folder at the site, below which its storage policy is used. */
  readonly folder?: string
  /** What its fake calls a request that brings bytes of a part. */
  readonly operation: string
}

export const vrchat: Place = { provider: 'vrchat', title: 'VRChat', operation: 'putPart' }

/** Cloudreve takes the bytes of these itself, has them sent to a store, and has them sent to another one in order. */
export const local: Place = {
  provider: 'cloudreve',
  title: 'Cloudreve local',
  folder: 'cloudreve://my/local/',
  operation: 'sendChunk',
}
export const s3: Place = {
  provider: 'cloudreve',
  title: 'Cloudreve s3',
  folder: 'cloudreve://my/s3/',
  operation: 's3.putPart',
}
export const onedrive: Place = {
  provider: 'cloudreve',
  title: 'Cloudreve onedrive',
  folder: 'cloudreve://my/onedrive/',
  operation: 'onedrive.putRange',
}

export const places: readonly Place[] = [vrchat, local, s3, onedrive]
