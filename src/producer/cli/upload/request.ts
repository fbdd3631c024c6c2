import { UsageError } from '../errors.ts'
import { byteSize, choice, duration, list, text, toggle, whole, type Values } from '../flags.ts'
import type { Source } from './sources.ts'

/** What to upload to where, the same for all files of a command. */
export const requestFlags = {
  account: text('ID', 'the account to upload with'),
  provider: choice(['vrchat'], 'the provider; vrchat unless given'),
  'file-id': text('FILE_ID', 'a new version of this File'),
  name: text(
    'NAME',
    'a new version of the File with this name, made if there is none; else the name of the file',
  ),
  'new-file': toggle('always make a new File, also when there is one with that name'),
  'mime-type': text('TYPE', 'of a File that is made; else by its extension'),
  extension: text('.EXT', "of a File that is made; else the file's own"),
  tag: list('TAG', 'of a File that is made'),
  'on-unchanged': choice(
    ['skip', 'upload'],
    'what to do with a file that is there already; skip unless given',
  ),
  verify: choice(['download'], 'read the bytes back when all is done, and compare'),
  priority: whole('N', 'from 0 to 1000; lower ones go first; 100 unless given', { min: 0, max: 1000 }),
  'part-size': byteSize('size of the parts, such as 32M'),
  deadline: duration('give up when it is not done after this time, such as 2h'),
} as const

type RequestFlags = Values<typeof requestFlags>

/** Throws `UsageError` for flags that contradict each other. */
export const checkRequest = (flags: RequestFlags, sources: readonly Source[]): void => {
  if (flags['file-id'] === undefined) return
  for (const name of ['name', 'mime-type', 'extension', 'tag', 'new-file'] as const) {
    if (flags[name] === undefined || flags[name] === false) continue
    throw new UsageError(`--${name} belongs to a File that is made, and --file-id names one that there is`)
  }
  if (sources.length > 1) {
    throw new UsageError('--file-id is one File, and these are several files: upload them one by one')
  }
}

/** The part of the request that is the provider's own. */
export const providerPart = (flags: RequestFlags, source: Source): Record<string, unknown> =>
  withoutAbsent({
    destination: withoutAbsent({
      fileId: flags['file-id'],
      name: flags['file-id'] === undefined ? (flags.name ?? source.name) : undefined,
      mimeType: flags['mime-type'],
      extension: flags.extension,
      tags: flags.tag,
    }),
    newFile: flags['new-file'] || undefined,
    onUnchanged: flags['on-unchanged'],
    partSize: flags['part-size'],
    verify: flags.verify,
  })

/** The body of `POST /v1/uploads`. */
export const requestBody = (flags: RequestFlags, source: Source): Record<string, unknown> => ({
  provider: providerOf(flags),
  ...withoutAbsent({ account: flags.account, priority: flags.priority, deadline: deadlineOf(flags) }),
  source: source.url,
  ...providerPart(flags, source),
})

const deadlineOf = ({ deadline }: RequestFlags): string | undefined =>
  deadline === undefined ? undefined : new Date(Date.now() + deadline).toISOString()

export const providerOf = ({ provider }: RequestFlags): string => provider ?? 'vrchat'

const withoutAbsent = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
