import { UsageError } from './errors.ts'

/** One thing that a provider wants to know about an account. */
export interface Field {
  /** In the request. */
  readonly name: string
  /** What a person is asked. */
  readonly question: string
  /** Where it may be given without a person; a secret has no flag. */
  readonly env: string
}

export interface AccountForm {
  /** What has to be known and agreed to before an account is added. */
  readonly notice: string
  readonly contact: Omit<Field, 'env'>
  readonly username: Field
  readonly password: Field
  readonly totpSecret: Field
  readonly cookie: Field
  readonly apiKey: Field
  /** What a method of the provider asks for. */
  readonly codes: Readonly<Record<string, string>>
  /** The method whose code is sent for one login, and is of no use to the next. */
  readonly sentCode: string
  readonly code: Field
}

const vrchat: AccountForm = {
  notice: `VRChat's creator guidelines restrict third-party software that uploads on a user's behalf, and VRChat may
act against accounts that use it. Stevedore is not made or approved by VRChat. Use it with your own account
and your own content only, keep its limits gentle, and read https://hello.vrchat.com/creator-guidelines first.`,
  contact: {
    name: 'contact',
    question: 'E-mail address or URL where VRChat can reach you (sent with every request):',
  },
  username: { name: 'username', question: 'VRChat user name or e-mail address:', env: 'VRCHAT_USERNAME' },
  password: { name: 'password', question: 'VRChat password:', env: 'VRCHAT_PASSWORD' },
  totpSecret: {
    name: 'totpSecret',
    question: 'TOTP secret of the authenticator (Enter for none; codes are asked for then):',
    env: 'VRCHAT_TOTP_SECRET',
  },
  cookie: { name: 'authCookie', question: 'Value of the auth cookie:', env: 'VRCHAT_AUTH_COOKIE' },
  apiKey: { name: 'apiKey', question: 'Value of the apiKey cookie:', env: 'VRCHAT_API_KEY' },
  codes: {
    totp: 'Code of the authenticator:',
    emailOtp: 'Code from the e-mail that VRChat sent:',
    otp: 'One of the recovery codes:',
  },
  sentCode: 'emailOtp',
  code: { name: 'code', question: 'Code:', env: 'VRCHAT_CODE' },
}

const forms = new Map([['vrchat', vrchat]])

/** What to ask for an account of that provider. Throws `UsageError` for one that does not exist. */
export const formOf = (provider: string): AccountForm => {
  const form = forms.get(provider)
  if (form !== undefined) return form
  throw new UsageError(
    `There is no provider ${JSON.stringify(provider)}: it is one of ${[...forms.keys()].join(', ')}`,
  )
}
