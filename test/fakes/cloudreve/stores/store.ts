/** The storage policies whose bytes do not go through the site itself. */
export const storeKinds = ['remote', 's3', 'ks3', 'oss', 'cos', 'obs', 'onedrive', 'qiniu', 'upyun'] as const
export type StoreKind = (typeof storeKinds)[number]

/** What the site tells a store when it creates an upload session. Sizes in bytes, times in ms since 1970. */
export interface Opening {
  readonly sessionId: string
  /** Where the object shall be. */
  readonly key: string
  readonly size: number
  /** 0 for one single chunk. */
  readonly chunkSize: number
  readonly mimeType: string
  readonly expires: number
  /** Where the store reports completion by itself (remote, oss, obs, qiniu, upyun), secret and all. */
  readonly callbackUrl: string
}

/** What the site hands on to the client, named as in the answer of `PUT /file/upload`. */
export interface Opened {
  readonly upload_id: string
  readonly upload_urls: readonly string[]
  readonly credential?: string
  readonly completeURL?: string
  readonly upload_policy?: string
}

/** One store as the site uses it; what the client does there goes over HTTP to the store's own server. */
export interface Store extends AsyncDisposable {
  readonly kind: StoreKind
  /** Of its own server, such as `http://127.0.0.1:40001`. */
  readonly origin: string
  readonly open: (opening: Opening) => Promise<Opened>
  /** Drops what an unfinished session left; nothing when there is nothing. */
  readonly abort: (sessionId: string) => Promise<void>
  /** Size of the completed object, as a HEAD would say it; undefined while there is none. */
  readonly stat: (key: string) => Promise<number | undefined>
  readonly read: (key: string) => Promise<Buffer>
  readonly remove: (key: string) => Promise<void>
  /** Unfinished uploads that it still holds. */
  readonly unfinished: () => number
}
