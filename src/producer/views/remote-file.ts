import { z } from 'zod'
import type { RemoteFile } from '#shared/providers/provider.ts'
import { versionNumber } from './version.ts'

/** One of the provider's own files as the API shows it. */
export const remoteFileView = z
  .object({
    id: z.string(),
    name: z.string(),
    versions: z
      .array(
        z.object({
          number: versionNumber,
          status: z.string(),
          size: z.number().nullable(),
          md5: z.string().nullable(),
          createdAt: z.string().nullable(),
        }),
      )
      .meta({ description: 'Newest first' }),
  })
  .meta({ id: 'File' })

export const showRemoteFile = ({ id, name, versions }: RemoteFile): z.infer<typeof remoteFileView> => ({
  id,
  name,
  versions: versions.map(({ number, status, size, md5, createdAt }) => ({
    number,
    status,
    size: size ?? null,
    md5: md5 ?? null,
    createdAt: createdAt ?? null,
  })),
})
