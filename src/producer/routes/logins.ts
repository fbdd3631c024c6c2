import { z } from 'zod'
import type { App, Context } from '../context.ts'
import { accountId } from '../requests.ts'
import { accountView } from '../views/account.ts'
import { show } from './accounts.ts'
import { refusals } from './answers.ts'

/** Some calls, and a code that has to be waited for. Not ended by a caller who goes away: a login costs. */
const LOGIN_MS = 120_000

const tags = ['accounts']
const params = z.object({ id: accountId })

export function loginRoutes(app: App, context: Context): void {
  loginRoute(app, context)
  challengeRoute(app, context)
}

function loginRoute(app: App, context: Context): void {
  const { work, access } = context
  app.post(
    '/v1/accounts/:id/login',
    {
      schema: {
        tags,
        summary: 'Log an account in now',
        description:
          'Answers the account: `ready`, or `needs-2fa` with the methods that a code may be given by. A stored TOTP secret answers by itself.',
        params,
        response: { 200: accountView, ...refusals },
      },
    },
    async ({ params: { id } }) => {
      await work.logIn(id, async ({ provider, account }) => {
        await access.resetBudget(id)
        return provider.login(account, AbortSignal.timeout(LOGIN_MS))
      })
      return show(context, id)
    },
  )
}

const challenge = z.strictObject({
  method: z.string().min(1).max(50).meta({ description: "One of the account's challengeMethods" }),
  code: z.string().min(1).max(100),
})

function challengeRoute(app: App, context: Context): void {
  app.post(
    '/v1/accounts/:id/challenge',
    {
      schema: {
        tags,
        summary: 'Hand in the code that a login asked for',
        params,
        body: challenge,
        response: { 200: accountView, ...refusals },
      },
    },
    async ({ params: { id }, body }) => {
      await context.work.logIn(id, async ({ provider, account }) =>
        provider.answerChallenge(account, body, AbortSignal.timeout(LOGIN_MS)),
      )
      return show(context, id)
    },
  )
}
