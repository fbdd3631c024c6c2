import { UnrecoverableError } from 'bullmq'
import type { Job } from 'bullmq'
import type { Logger } from 'pino'
import { z } from 'zod'

/**
 * The job's data. One of an unknown shape is somebody else's, such as another version's: it fails at once and says
 * why. Nothing is lost with it, as whoever finds the record without its job gives it a new one.
 */
export function readJob<Data>(job: Job, { schema, log }: { schema: z.ZodType<Data>; log: Logger }): Data {
  const parsed = schema.safeParse(job.data)
  if (parsed.success) return parsed.data
  const why = `The data of job ${job.id} (${job.queueName}) can not be read: ${z.prettifyError(parsed.error)}`
  log.warn(why)
  throw new UnrecoverableError(why)
}
