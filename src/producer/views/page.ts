import { z } from 'zod'

/** How a list is asked for: where to go on, and how much at once. */
export const pageQuery = {
  cursor: z
    .string()
    .regex(/^[\w-]{1,100}$/, 'must be the `next` of an earlier answer')
    .optional()
    .meta({ description: 'The `next` of the answer before' }),
  limit: z.coerce.number().int().min(1).max(500).default(50),
}

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next: z.string().nullable().meta({ description: 'Cursor of the next page; null at the end' }),
  })

/** The cursor that follows these ids: none after a page that was not full. */
export const nextAfter = (ids: readonly string[], limit: number): string | null =>
  ids.length < limit ? null : (ids.at(-1) ?? null)
