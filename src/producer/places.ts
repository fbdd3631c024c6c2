import { z } from 'zod'
import type { Destination, Provider } from '#shared/providers/provider.ts'

/**
 * The destinations that a word may stand for: each field of the provider's own destination is tried, so an id
 * and a name are both understood. Those known by id come first.
 */
export function placesNamed(provider: Provider, account: string, word: string): Destination[] {
  const places = fieldsOf(provider).flatMap((field) => {
    const request = provider.uploadRequest.safeParse({ destination: { [field]: word } })
    return request.success ? [provider.destination(account, request.data, '')] : []
  })
  return places.toSorted((a, b) => Number(a.binding !== undefined) - Number(b.binding !== undefined))
}

/** The place with this remote id. */
export const placeWithId = (provider: Provider, account: string, remoteId: string): Destination | undefined =>
  placesNamed(provider, account, remoteId).find(({ binding }) => binding === undefined)

function fieldsOf({ uploadRequest }: Provider): string[] {
  const destination = uploadRequest.shape['destination']
  return destination instanceof z.ZodObject ? Object.keys(destination.shape) : []
}
