import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isInteractive, line, type Io } from './io.ts'
import { printable } from './terminal/text.ts'

const PICTURE = /data:image\/(png|jpeg|gif);base64,([A-Za-z0-9+/=]+)/

/**
 * Shows a person what a provider wants them to look at: a picture within the text becomes a file until this is
 * disposed of. Where nobody looks it is printed as it is, for whoever reads it later. Does nothing without a picture.
 */
export const showPicture = async (text: string, io: Io): Promise<AsyncDisposable> => {
  const [uri, kind, bytes = ''] = PICTURE.exec(text) ?? []
  if (uri === undefined || !isInteractive(io)) {
    if (uri !== undefined) line(io.err, printable(text))
    return { [Symbol.asyncDispose]: async () => undefined }
  }
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-picture-'))
  const file = join(folder, `picture.${kind ?? ''}`)
  await writeFile(file, Buffer.from(bytes, 'base64'))
  line(io.err, printable(text.replace(uri, file)))
  return { [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }) }
}

/** For where it would only be in the way. */
export const withoutPicture = (text: string): string => text.replace(PICTURE, '(a picture)')
