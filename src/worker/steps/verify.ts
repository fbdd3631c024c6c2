import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { messageOf, TryLater } from '#shared/errors.ts'
import type { Version } from '#shared/providers/provider.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { complete } from './step.ts'
import type { StepContext, StepDeps } from './step.ts'

/** Ends the upload as completed, unless bytes were to be read back and differ: then it answers how. */
export async function completeIfWhole(
  deps: StepDeps,
  record: UploadRecord,
  version: Version,
  context: StepContext,
): Promise<string | undefined> {
  const wrong = await differenceOf(record, version, context)
  if (wrong === undefined) await complete(deps, record, version)
  return wrong
}

/**
 * Reads the bytes back, if that was asked for, and answers what is wrong with them: the provider's own MD5 may
 * be no more than an echo of what it was told.
 */
export async function differenceOf(
  record: UploadRecord,
  version: Version,
  { provider, account, signal }: StepContext,
): Promise<string | undefined> {
  if (record.verify !== 'download') return undefined
  const which = { remoteId: version.remoteId, version: version.number }
  const { body } = await provider.download(account, which, signal)
  const found = await md5Of(body, signal)
  const expected = record.hashes?.md5 ?? version.md5
  return found === expected ? undefined : `Read back, the bytes have MD5 ${found} instead of ${expected}`
}

/** A whole file is not read again at once, only because its end did not come. */
const AGAIN_MS = 15_000

async function md5Of(body: Readable, signal: AbortSignal): Promise<string> {
  const md5 = createHash('md5')
  try {
    for await (const chunk of body) md5.update(chunk)
  } catch (error) {
    signal.throwIfAborted()
    throw new TryLater(`the bytes could not be read back whole: ${messageOf(error)}`, AGAIN_MS, {
      cause: error,
    })
  }
  return md5.digest('hex')
}
