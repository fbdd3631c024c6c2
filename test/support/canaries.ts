import { randomBytes } from 'node:crypto'

export interface Canary {
  readonly name: string
  readonly value: string
}

/** Somewhere that a secret may have ended up. */
export interface Place {
  readonly name: string
  readonly content: string | Uint8Array
}

/** Which secret is in which place, as it is or in a form that it travels in; one sentence each. */
export function findCanaries(places: readonly Place[], canaries: readonly Canary[]): string[] {
  const wanted = canaries.map(({ name, value }) => ({ name, forms: formsOf(value) }))
  return places.flatMap(({ name: place, content }) => {
    const bytes = Buffer.from(content)
    return wanted.flatMap(({ name, forms }) => {
      const found = forms.find(({ text }) => bytes.includes(text))
      return found === undefined ? [] : [`${name} (${found.form}) is in ${place}`]
    })
  })
}

interface Form {
  readonly form: string
  readonly text: string
}

// What is shorter is in any text by chance.
const SHORTEST = 8

function formsOf(value: string): Form[] {
  if (value.length < SHORTEST) throw new Error(`A canary of ${value.length} characters proves nothing`)
  const forms = [
    { form: 'plain', text: value },
    { form: 'in JSON', text: JSON.stringify(value).slice(1, -1) },
    { form: 'in JSON in JSON', text: JSON.stringify(JSON.stringify(value)).slice(3, -3) },
    { form: 'percent-encoded', text: encodeURIComponent(value) },
    { form: 'in a form', text: new URLSearchParams({ value }).toString().slice('value='.length) },
    { form: 'in hex', text: Buffer.from(value).toString('hex') },
    ...[0, 1, 2].map((before) => ({ form: 'in base64', text: insideBase64(value, before) })),
  ]
  return forms.filter(({ text }) => text.length >= SHORTEST)
}

/** What base64 of a longer text has of this one, where so many bytes modulo 3 stand before it. */
function insideBase64(value: string, before: number): string {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
  // A character is ours when all of its 6 bits are.
  return bytes.toString('base64').slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6))
}

/** Random, and with all that some encoding changes. */
export const canaryPassword = (): string => `Pä$s "w%41ört\\+&${randomBytes(8).toString('hex')}`

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export const canaryTotpSecret = (): string =>
  Array.from(randomBytes(32), (byte) => BASE32.charAt(byte % 32)).join('')
