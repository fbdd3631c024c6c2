import type { FakeCloudreve, LedgerEntry } from '../fakes/cloudreve/server.ts'
import type { Canary } from './canaries.ts'

/** How every token of the site begins: none of them may be anywhere. */
const ANY_TOKEN: Canary = {
  name: 'a token',
  value: Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url'),
}

/** What the site and its stores gave out, as they saw it come back: tokens, credentials, signatures, secrets. */
export function cloudreveSecrets({ ledger }: Pick<FakeCloudreve, 'ledger'>): Canary[] {
  const found = ledger.flatMap((entry) => [
    ...headerSecrets(entry),
    ...callbackSecrets(entry),
    ...urlSecrets(entry),
  ])
  const values = new Map(found.map(({ name, value }) => [value, name]))
  return [ANY_TOKEN, ...[...values].map(([value, name]) => ({ name, value }))]
}

/** Without the word that says what kind it is. */
const headerSecrets = ({ operation, headers: { authorization = '' } }: LedgerEntry): Canary[] => {
  const value = authorization.replace(/^(Bearer Cr|[A-Za-z]+) /, '')
  return value === '' ? [] : [{ name: `the credentials of ${operation}`, value }]
}

const callbackSecrets = ({ operation, path }: LedgerEntry): Canary[] =>
  operation === 'callback'
    ? [{ name: 'a callback secret', value: path.slice(path.lastIndexOf('/') + 1) }]
    : []

/** Of a store; OneDrive and Upyun have nothing but an address that nobody else knows. */
const urlSecrets = ({ operation, rawUrl, path }: LedgerEntry): Canary[] => {
  if (operation.startsWith('onedrive.')) return [{ name: 'a OneDrive address', value: path }]
  if (operation.startsWith('upyun.')) return [{ name: 'an Upyun address', value: rawUrl }]
  const query = new URLSearchParams(rawUrl.split('?')[1])
  return [...query]
    .filter(([key]) => /signature$|callback$/i.test(key) && operation.includes('.'))
    .map(([key, value]) => ({ name: `${key} of ${operation}`, value }))
}
