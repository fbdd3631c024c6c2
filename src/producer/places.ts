import { z } from 'zod'
import { FatalError } from '#shared/errors.ts'
import type { Destination, Provider } from '#shared/providers/provider.ts'

/**
 * The destinations that a word may stand for: each field of the provider's own destination is tried, so an id
 * and a name are both understood. Those known by id come first.
 */
export function placesNamed(provider: Provider, account: string, word: string): Destination[] {
  const places = fieldsOf(provider).flatMap((field) => {
    const request = provider.uploadRequest.safeParse({ destination: { [field]: word } })
    return request.success ? placeOf(provider, account, request.data) : []
  })
  return places.toSorted((a, b) => Number(a.binding !== undefined) - Number(b.binding !== undefined))
}

/** None for a word that only looks like a place. */
function placeOf(provider: Provider, account: string, request: unknown): Destination[] {
  try {
    return [provider.destination(account, request, '')]
  } catch (error) {
    if (error instanceof FatalError) return []
    throw error
  }
}

/** The place with this remote id. */
export const placeWithId = (provider: Provider, account: string, remoteId: string): Destination | undefined =>
  placesNamed(provider, account, remoteId).find(({ binding }) => binding === undefined)

function fieldsOf({ uploadRequest }: Provider): string[] {
  const destination = uploadRequest.shape['destination']
  return destination instanceof z.ZodObject ? Object.keys(destination.shape) : []
}
