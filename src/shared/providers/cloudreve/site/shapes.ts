import { z } from 'zod'

/** Go leaves out what is empty, or says null: both are the same to us. */
const orElse = <T extends z.ZodType>(schema: T, otherwise: z.output<T>) =>
  schema.nullish().transform((value) => value ?? otherwise)

const text = orElse(z.string(), '')

/** Sizes in bytes; 0 of `max_size` is no limit. be:service/explorer/response.go@0bb0ab83 */
const storagePolicy = z.object({
  id: z.string(),
  name: text,
  // A plain string: Pro adds some now and then.
  type: z.string(),
  max_size: orElse(z.number(), 0),
  allowed_suffix: orElse(z.array(z.string()), []),
  denied_suffix: orElse(z.array(z.string()), []),
  allowed_name_regexp: text,
  denied_name_regexp: text,
  relay: orElse(z.boolean(), false),
  /** Chunks at once; 0 says nothing, which means one. */
  chunk_concurrency: orElse(z.number(), 0),
  encryption: orElse(z.boolean(), false),
})

const encryptMetadata = z.object({
  algorithm: z.string(),
  /** Base64, 32 bytes. */
  key_plain_text: z.string(),
  /** Base64, 16 bytes. */
  iv: z.string(),
})

/** An upload session as it was created, the only time that it is shown. be:service/explorer/response.go@0bb0ab83 */
export const uploadSession = z.object({
  session_id: z.string().min(1),
  upload_id: text,
  /** In bytes; 0 means one chunk of the whole file. */
  chunk_size: z.number(),
  /** In seconds since 1970, by the site's clock. */
  expires: z.number(),
  upload_urls: orElse(z.array(z.string()), []),
  credential: text,
  completeURL: text,
  storage_policy: storagePolicy,
  /** As the site normalised it. */
  uri: z.string().min(1),
  callback_secret: text,
  mime_type: text,
  upload_policy: text,
  encrypt_metadata: encryptMetadata.nullish(),
})

/** Types: 0 version, 1 thumbnail, 2 live photo. */
const entity = z.object({
  id: z.string(),
  size: z.number(),
  type: z.number(),
  created_at: text,
  storage_policy: storagePolicy.nullish(),
  encrypted_with: text,
})

/** A file or folder; times are RFC 3339. be:service/explorer/response.go@0bb0ab83 */
export const fileInfo = z.object({
  /** 0 is a file, 1 a folder. */
  type: z.number(),
  id: z.string(),
  name: z.string(),
  created_at: text,
  updated_at: text,
  size: orElse(z.number(), 0),
  metadata: orElse(z.record(z.string(), z.string()), {}),
  /** Its URI, as the site writes it. */
  path: text,
  owned: orElse(z.boolean(), false),
  shared: orElse(z.boolean(), false),
  capability: text,
  primary_entity: text,
  extended_info: z
    .object({
      storage_policy: storagePolicy.nullish(),
      storage_used: orElse(z.number(), 0),
      entities: orElse(z.array(entity), []),
    })
    .nullish(),
})

/** One page of a folder; `storage_policy` is the one that new uploads here would use. */
export const listing = z.object({
  files: orElse(z.array(fileInfo), []),
  parent: fileInfo.nullish(),
  pagination: z.object({
    page: orElse(z.number(), 0),
    page_size: orElse(z.number(), 0),
    total_items: z.number().nullish(),
    next_token: text,
    is_cursor: orElse(z.boolean(), false),
  }),
  props: z.object({ max_page_size: orElse(z.number(), 0) }).nullish(),
  storage_policy: storagePolicy.nullish(),
})

/** In bytes. */
export const capacity = z.object({ total: z.number(), used: z.number() })

export const fileUrls = z.object({
  urls: z.array(z.object({ url: z.string().min(1) })).min(1),
  expires: z.string().nullish(),
})

export type UploadSession = z.infer<typeof uploadSession>
export type FileInfo = z.infer<typeof fileInfo>
export type Listing = z.infer<typeof listing>

export const isFolder = ({ type }: FileInfo): boolean => type === 1

/** The session of an unfinished upload, whose placeholder looks like a file of 0 bytes; undefined for a real file. */
export const uploadMarker = ({ metadata }: FileInfo): string | undefined => metadata['sys:upload_session_id']
