import { NeedsPerson } from '#shared/errors.ts'

interface Where {
  readonly baseUrl: string
  readonly account: { readonly id: string }
}

/** What a person can do who is needed because of a captcha that nobody has seen yet. */
export const captchaByHand = ({ baseUrl, account: { id } }: Where): NeedsPerson =>
  new NeedsPerson(
    'needs-login',
    `The site asks for a captcha, which needs a person: log in by hand (stevedore account login ${id}), or log in at ` +
      `${baseUrl} in a browser and give the account the refresh_token of that login as its refreshToken; it is in ` +
      'the browser’s local storage, and in the answer of POST /api/v4/session/token',
  )

/** How a person gets to see the picture. */
export const captchaNote = (image: string): string =>
  `The site asks for a captcha: look at this picture, and hand in what it shows: ${image}`
