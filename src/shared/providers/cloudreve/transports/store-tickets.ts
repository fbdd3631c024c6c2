import { FatalError } from '#shared/errors.ts'
import type { ReadTickets } from '../../provider.ts'

/** A secret of the session without which nothing can be sent: what the site did not give can not be asked for again. */
export const ticketOf = async (tickets: ReadTickets, name: string): Promise<string> => {
  const [value] = await tickets([name])
  if (value !== undefined) return value
  throw new FatalError('internal', `The upload session was kept without its ticket ${name}`)
}
