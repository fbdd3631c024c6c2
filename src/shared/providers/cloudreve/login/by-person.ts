import { FatalError } from '#shared/errors.ts'
import type { Challenge, LoginResult } from '../../provider.ts'
import {
  importToken,
  refreshStored,
  save,
  signedIn,
  tryImported,
  tryPassword,
  type Attempt,
} from './attempt.ts'
import { captchaByHand, captchaNote } from './captcha.ts'
import { newCaptcha, verifyCode } from './sign-in.ts'

/** As a person asked for it; a login that still works is left alone. */
export const logInNow = async (attempt: Attempt): Promise<LoginResult> => {
  if ((await tryImported(attempt)) !== undefined) return { kind: 'ok' }
  if ((await refreshStored(attempt)) !== undefined) return { kind: 'ok' }
  // One that was refused before may be good by now, such as when its user was banned for a while.
  if (attempt.credentials.password === undefined && (await importToken(attempt)) !== undefined) {
    return { kind: 'ok' }
  }
  const result = await tryPassword(attempt)
  if (result === 'captcha') return showCaptcha(attempt)
  return result === 'totp' ? { kind: 'challenge', methods: ['totp'] } : { kind: 'ok' }
}

/** Shows a person a picture to read; what only a browser can show is left to a browser. */
const showCaptcha = async (attempt: Attempt): Promise<LoginResult> => {
  const captcha = await newCaptcha(attempt)
  if (captcha === undefined) throw captchaByHand(attempt)
  await save(attempt, { ...attempt.stored, captcha: { ticket: captcha.ticket } })
  return { kind: 'challenge', methods: ['captcha'], note: captchaNote(captcha.image) }
}

const waitsForNothing = (): FatalError =>
  new FatalError('bad-request', 'no login of this account waits for a code: log in first')

/** What a person made of the site's question. */
export const answerCode = async (attempt: Attempt, { method, code }: Challenge): Promise<LoginResult> => {
  const given = code.trim()
  if (method.toLowerCase() === 'captcha') return answerCaptcha(attempt, given)
  if (method.toLowerCase() !== 'totp') {
    throw new FatalError('bad-request', 'the method is totp or captcha')
  }
  const { pending } = attempt.stored
  if (pending === undefined) throw waitsForNothing()
  const result = await verifyCode(attempt, pending.session, given.replace(/\s/g, ''))
  if (result.kind === 'refused') throw new FatalError('bad-request', 'the site refused the code')
  if (result.kind === 'gone') {
    await save(attempt, { ...attempt.stored, pending: undefined })
    throw new FatalError('bad-request', 'the login that waited for this code has ended: log in again')
  }
  await signedIn(attempt, result.tokens)
  return { kind: 'ok' }
}

const answerCaptcha = async (attempt: Attempt, text: string): Promise<LoginResult> => {
  const { captcha } = attempt.stored
  if (captcha === undefined) throw waitsForNothing()
  // A ticket is good for one answer.
  await save(attempt, { ...attempt.stored, captcha: undefined })
  const result = await tryPassword(attempt, { ticket: captcha.ticket, text })
  if (result === 'captcha') {
    throw new FatalError(
      'bad-request',
      'the site refused what was read from the picture: log in again for a new one',
    )
  }
  return result === 'totp' ? { kind: 'challenge', methods: ['totp'] } : { kind: 'ok' }
}
