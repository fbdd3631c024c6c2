import { z } from 'zod'
import type { App, Context } from '../context.ts'
import { placesNamed } from '../places.ts'
import { accountId, MOST_ID } from '../requests.ts'
import { pageOf, pageQuery } from '../views/page.ts'
import { ledgerItem, showLedgerEntry } from '../views/version.ts'
import { refusals } from './answers.ts'

const query = z.strictObject({
  account: accountId,
  destination: z
    .string()
    .min(1)
    .max(MOST_ID)
    .meta({ description: "The provider's id of the place, or its name" }),
  limit: pageQuery.limit,
})

export function versionRoutes(app: App, { work, uploads, overview, providers }: Context): void {
  app.get(
    '/v1/versions',
    {
      schema: {
        tags: ['versions'],
        summary: 'What arrived at a destination, newest first',
        querystring: query,
        response: { 200: pageOf(ledgerItem), ...refusals },
      },
    },
    async ({ query: { account, destination, limit } }) => {
      const { provider } = await work.find(account)
      const named = placesNamed(providers(provider), account, destination)
      const places = await Promise.all(named.map((place) => overview.placeOf(place)))
      const ledgers = await Promise.all(places.map((place) => uploads.versions(account, place, limit)))
      const entries = ledgers.find((ledger) => ledger.length > 0) ?? []
      return { items: entries.map(showLedgerEntry), next: null }
    },
  )
}
