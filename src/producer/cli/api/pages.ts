import { z } from 'zod'
import type { Api, Ask } from './client.ts'

// What the service hands out at once.
const PAGE = 500

const page = <Item extends z.ZodType>(item: Item) =>
  z.looseObject({ items: z.array(item), next: z.string().nullish() })

export interface Wanted {
  /** Goes on where an earlier list ended. */
  readonly cursor?: string | undefined
  readonly limit: number
}

export interface Collected<Item> {
  readonly items: readonly Item[]
  /** Where to go on; absent at the end. */
  readonly next: string | undefined
}

/** As many pages of a list as it takes. */
export const collect = async <Item extends z.ZodType>(
  api: Api,
  list: { readonly ask: Ask; readonly item: Item },
  { cursor, limit }: Wanted,
): Promise<Collected<z.output<Item>>> => {
  const items: z.output<Item>[] = []
  let next = cursor
  do {
    const query = { ...list.ask.query, cursor: next, limit: Math.min(PAGE, limit - items.length) }
    const answer = await api.ask({ ...list.ask, query }, page(list.item))
    items.push(...answer.items)
    next = answer.next ?? undefined
  } while (next !== undefined && items.length < limit)
  return { items, next }
}
