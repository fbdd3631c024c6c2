import { FatalError } from '#shared/errors.ts'
import { signatureSize } from '#shared/hashing/signature.ts'
import type { Plan } from '../provider.ts'
import type { UploadRequest } from './request.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
// Big enough that a call per part does not matter, small enough that a killed worker wastes little.
const PART_SIZE = 16 * MIB
// What `/status` shows as maxParts: docs/vrchat.md, Part sizes.
const MOST_PARTS = 1000
// S3's own bounds, which a part size given by hand may reach.
const LEAST_PART_SIZE = 5 * MIB
const MOST_PARTS_S3 = 10_000
const MOST_PART_SIZE = 5 * GIB
const MOST_SIZE = 5 * 1024 * GIB

/** How the source and its signature are cut if VRChat says `multipart`. */
export const planParts = (
  { partSize }: UploadRequest,
  size: number,
  least = LEAST_PART_SIZE,
): Required<Plan> => {
  if (size > MOST_SIZE) {
    throw new FatalError('bad-request', `the source has ${String(size)} bytes; storage takes at most 5 TiB`)
  }
  if (partSize === undefined) return planned(size, grown(size))
  if (partSize < least) {
    throw new FatalError(
      'bad-request',
      `partSize: at least ${String(least)} bytes, as storage takes no smaller parts`,
    )
  }
  if (partSize > MOST_PART_SIZE)
    throw new FatalError('bad-request', 'partSize: storage takes at most 5 GiB a part')
  if (size > partSize * MOST_PARTS_S3) {
    throw new FatalError('bad-request', `partSize: ${String(partSize)} bytes make more than 10,000 parts`)
  }
  return planned(size, partSize)
}

const planned = (size: number, partSize: number): Required<Plan> => ({
  partSize,
  signaturePartSize: Math.max(partSize, grown(signatureSize(size))),
})

const grown = (size: number): number =>
  size <= PART_SIZE * MOST_PARTS ? PART_SIZE : Math.ceil(size / MOST_PARTS / MIB) * MIB
