import { NeedsPerson } from '#shared/errors.ts'
import { answerByItself, refreshStored, signedIn, tryImported, tryPassword, type Attempt } from './attempt.ts'
import { captchaByHand } from './captcha.ts'
import type { Tokens } from './tokens.ts'

/** A login as it was made: a refreshed one may be refused where one by password is not. */
export interface Made {
  readonly by: 'refresh' | 'password'
  readonly tokens: Tokens
}

/** Without a person: imported token, refresh token, password; in this order, as each costs more. */
export const logInAgain = async (attempt: Attempt): Promise<Made> => {
  const tokens = (await tryImported(attempt)) ?? (await refreshStored(attempt))
  return tokens === undefined ? logInByPassword(attempt) : { by: 'refresh', tokens }
}

/** Without a person, and without the token that did not help. */
export const logInByPassword = async (attempt: Attempt): Promise<Made> => {
  const { pending } = attempt.stored
  if (pending !== undefined) {
    const answered = await answerByItself(attempt, pending.session)
    if (answered.kind === 'needs-code') throw needsCode()
    if (answered.kind === 'verified') {
      return { by: 'password', tokens: await signedIn(attempt, answered.tokens) }
    }
  }
  const result = await tryPassword(attempt)
  if (result === 'totp') throw needsCode()
  if (result === 'captcha') throw captchaByHand(attempt)
  return { by: 'password', tokens: result }
}

const needsCode = (): NeedsPerson =>
  new NeedsPerson('needs-2fa', "The site asks for the authenticator's code (totp)")
