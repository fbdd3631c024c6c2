import { StartOver } from '#shared/errors.ts'
import type { Blob } from '../provider.ts'
import { getFileDataUploadStatus, type DataId } from './api.ts'
import { readFile } from './create-file.ts'
import { lookFor, type Work } from './deps.ts'
import { versionOf } from './files.ts'
import type { Descriptor, SessionState } from './session.ts'

export type BlobName = 'file' | 'signature'

export const nameOf = (blob: Blob): BlobName => (blob.content === 'signature' ? 'signature' : 'file')

export const dataId = ({ fileId, version }: SessionState, blob: Blob): DataId => ({
  fileId,
  version,
  fileType: nameOf(blob),
})

/** Anything but `simple` is multipart, as the official SDK has it. */
export const isSimple = ({ category }: Descriptor): boolean => category === 'simple'

/** Whether VRChat still takes this blob, or has it already. Throws `StartOver` when the version is lost. */
export const standingOf = async (
  work: Work,
  state: SessionState,
  blob: Blob,
): Promise<'waiting' | 'finished'> => {
  const version = await lookFor(work, async () => {
    const file = await readFile(work, state.fileId)
    return file && versionOf(file, state.version)
  })
  const which = `version ${String(state.version)} of ${state.fileId}`
  if (version === undefined) throw new StartOver('session-lost', `${which} is gone`)
  const data = version[nameOf(blob)]
  if (version.status === 'error' || data?.status === 'error') {
    throw new StartOver('aborted-by-provider', `${which} has status error`)
  }
  if (data !== undefined && data.status !== 'waiting') return 'finished'
  if (data !== undefined && data.uploadId !== state[nameOf(blob)].uploadId) {
    throw new StartOver('session-lost', `${which} has another upload id now`)
  }
  return 'waiting'
}

/**
 * Throws `StartOver` when VRChat means another multipart upload than we do. Asked only after a refusal
 * that nothing else explains: it hangs when the version is complete, and says nothing then.
 */
export const assertSameUpload = async (work: Work, state: SessionState, blob: Blob): Promise<void> => {
  const { uploadId, ...kind } = state[nameOf(blob)]
  if (isSimple({ uploadId, ...kind })) return
  const status = await getFileDataUploadStatus(work.api, dataId(state, blob), work.timing.statusMs).catch(
    () => undefined,
  )
  work.signal.throwIfAborted()
  if (status === undefined || status.uploadId === uploadId) return
  throw new StartOver('session-lost', `VRChat waits for another upload id of ${state.fileId}`)
}
