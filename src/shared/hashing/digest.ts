import { createHash } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { ownFileError } from '#shared/sources/own-file.ts'
import { createPartMd5s } from './md5.ts'
import { createEntryWriter, entriesSize, signatureHeader } from './signature.ts'

/** What a digest thread can make of a source's bytes; `end` of the digest answers what `DigestResults` says. */
export type DigestTask =
  | { readonly kind: 'parts'; readonly partSize: number }
  | {
      readonly kind: 'signature'
      /** Exists already and is empty: see `hasher.ts` for why. */
      readonly file: string
      readonly header: boolean
      /** Bytes of what is made to leave out at the beginning, and to write after these. */
      readonly skip: number
      readonly length: number
      readonly partSize: number
    }

export interface DigestResults {
  readonly parts: readonly string[]
  readonly signature: { readonly md5: string; readonly parts: readonly string[] }
}

/** Takes the bytes of a source in order, in chunks that are whole blocks except for the last. */
export interface Digest {
  readonly update: (chunk: Uint8Array) => void
  readonly end: () => DigestResults[keyof DigestResults]
  /** Lets go of files. Safe after `end`, and twice. */
  readonly close: () => void
}

export const createDigest = (task: DigestTask): Promise<Digest> | Digest =>
  task.kind === 'parts' ? { ...createPartMd5s(task.partSize), close: () => {} } : createSignatureDigest(task)

const createSignatureDigest = async (task: DigestTask & { kind: 'signature' }): Promise<Digest> => {
  const writeEntries = await createEntryWriter()
  const output = createOutput(task)
  let entries = Buffer.alloc(0)
  if (task.header) output.write(signatureHeader())
  return {
    update: (chunk) => {
      // Chunks have one size, but for the last: this allocates once.
      if (entries.length < entriesSize(chunk.length)) entries = Buffer.alloc(entriesSize(chunk.length))
      output.write(entries.subarray(0, writeEntries(chunk, entries)))
    },
    end: output.end,
    close: output.close,
  }
}

type Output = Pick<Digest, 'close'> & {
  readonly write: (bytes: Uint8Array) => void
  readonly end: () => DigestResults['signature']
}

/** Hashes and writes [skip, skip + length) of all that it is given. */
const createOutput = (task: DigestTask & { kind: 'signature' }): Output => {
  const onFile = <T>(call: () => T): T => onOwnFile(task.file, call)
  const fd = onFile(() => openSync(task.file, 'r+'))
  let isOpen = true
  const whole = createHash('md5')
  const parts = createPartMd5s(task.partSize)
  let { skip, length: room } = task
  const close = (): void => {
    if (isOpen) closeSync(fd)
    isOpen = false
  }
  return {
    close,
    write: (bytes) => {
      const kept = bytes.subarray(skip, skip + room)
      skip = Math.max(0, skip - bytes.length)
      room -= kept.length
      whole.update(kept)
      parts.update(kept)
      for (let at = 0; at < kept.length;) at += onFile(() => writeSync(fd, kept, at))
    },
    end: () => {
      // The record outlives a power cut, so must the file that it speaks of.
      onFile(() => fdatasyncSync(fd))
      close()
      return { md5: whole.digest('hex'), parts: parts.end() }
    },
  }
}

const onOwnFile = <T>(file: string, call: () => T): T => {
  try {
    return call()
  } catch (error) {
    throw ownFileError(file, error)
  }
}
