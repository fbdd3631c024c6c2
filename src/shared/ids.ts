import { monotonicFactory } from 'ulid'

const next = monotonicFactory()

/** A new upload's id. Ids of one process sort in the order they were made. */
export const newUploadId = (): string => `upl_${next().toLowerCase()}`
