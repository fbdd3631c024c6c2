import { z } from 'zod'
import { SiteRefusal } from './codes.ts'

const locks = z.array(
  z.object({ owner: z.object({ application: z.object({ type: z.string() }).optional() }).optional() }),
)

/** What kinds of applications hold the locks that a refusal names, such as `upload` or `viewer`. */
export const lockOwners = (refusal: unknown): readonly string[] => {
  if (!(refusal instanceof SiteRefusal)) return []
  const found = locks.safeParse(refusal.data).data ?? []
  return [...new Set(found.flatMap(({ owner }) => owner?.application?.type ?? []))]
}
