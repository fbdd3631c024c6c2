// A MiB a message: few enough messages that they cost nothing, small enough to stay in a core's cache.
const CHUNK = 1024 * 1024

// One chunk to read into, one under work, and slack for threads that take turns on few cores.
const SLOTS = 4

/** The buffers that a reading thread shares with its digest threads: all the memory a pass takes. */
export const createChunks = (): SharedArrayBuffer => new SharedArrayBuffer(CHUNK * SLOTS)

export const slotOf = (chunk: number): number => chunk % SLOTS

/** The bytes of a slot, or the first `length` of them. */
export const slotView = (
  chunks: SharedArrayBuffer,
  slot: number,
  length = CHUNK,
): Uint8Array<SharedArrayBuffer> => new Uint8Array(chunks, slot * CHUNK, length)

/** How a stretch of the source is cut into chunks. */
export const chunkCount = (length: number): number => Math.ceil(length / CHUNK)

export const chunkLength = (length: number, chunk: number): number => Math.min(CHUNK, length - chunk * CHUNK)
