import { UsageError } from './errors.ts'

type Given = string | boolean | readonly (string | boolean)[] | undefined

/** One flag of a command: how it is written, what it is for, and how its value is read. */
export interface Flag<Value> {
  readonly type: 'boolean' | 'string'
  readonly multiple?: true
  readonly short?: string
  /** What stands for the value in the help. */
  readonly value?: string
  readonly help: string
  /** Throws `UsageError` for a value that will not do. */
  readonly read: (given: Given, name: string) => Value
}

export type Flags = Readonly<Record<string, Flag<unknown>>>
export type Values<Of extends Flags> = {
  readonly [Name in keyof Of]: Of[Name] extends Flag<infer Value> ? Value : never
}

export const toggle = (help: string): Flag<boolean> => ({
  type: 'boolean',
  help,
  read: (given) => given === true,
})

export const text = (value: string, help: string, short?: string): Flag<string | undefined> => ({
  type: 'string',
  value,
  help,
  ...(short !== undefined && { short }),
  read: (given, name) => readText(given, name),
})

export const list = (value: string, help: string): Flag<readonly string[] | undefined> => ({
  type: 'string',
  multiple: true,
  value,
  help,
  read: (given) => (Array.isArray(given) ? given.map(String) : undefined),
})

export const choice = <const Options extends readonly string[]>(
  options: Options,
  help: string,
): Flag<Options[number] | undefined> => ({
  type: 'string',
  value: options.join('|'),
  help,
  read: (given, name) => {
    const written = readText(given, name)
    const chosen = options.find((option) => option === written)
    if (written !== undefined && chosen === undefined) {
      throw new UsageError(`--${name} is one of ${options.join(', ')}, not ${JSON.stringify(written)}`)
    }
    return chosen
  },
})

interface Bounds {
  readonly min: number
  readonly max: number
}

export const whole = (value: string, help: string, { min, max }: Bounds): Flag<number | undefined> => ({
  type: 'string',
  value,
  help,
  read: (given, name) => {
    const written = readText(given, name)
    return written === undefined ? undefined : readWhole(`--${name}`, written, { min, max })
  },
})

/** Throws `UsageError` for anything but a whole number within the bounds. */
export const readWhole = (what: string, written: string, { min, max }: Bounds): number => {
  const number = /^-?\d{1,15}$/.test(written) ? Number(written) : Number.NaN
  if (number >= min && number <= max) return number
  throw new UsageError(`${what} is a whole number from ${min} to ${max}, not ${JSON.stringify(written)}`)
}

const units: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

/** Bytes, also as `16M` or `64MiB`. */
export const byteSize = (help: string): Flag<number | undefined> => ({
  type: 'string',
  value: 'BYTES',
  help,
  read: (given, name) => {
    const written = readText(given, name)
    if (written === undefined) return undefined
    const [, digits = '', unit = ''] = /^(\d{1,12})(?:([kmg])(?:i?b)?|b)?$/i.exec(written) ?? []
    const bytes = Number(digits) * (units[unit.toLowerCase()] ?? 1)
    if (digits !== '' && bytes >= 1 && Number.isSafeInteger(bytes)) return bytes
    throw new UsageError(
      `--${name} is a number of bytes, such as 16777216 or 16M, not ${JSON.stringify(written)}`,
    )
  },
})

const spans: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A stretch of time such as `90s`, `30m`, `12h` or `2d`, in ms. */
export const duration = (help: string): Flag<number | undefined> => ({
  type: 'string',
  value: 'TIME',
  help,
  read: (given, name) => {
    const written = readText(given, name)
    if (written === undefined) return undefined
    const [, digits = '', unit = ''] = /^(\d{1,6})([smhd])$/i.exec(written) ?? []
    const ms = Number(digits) * (spans[unit.toLowerCase()] ?? 0)
    if (ms > 0) return ms
    throw new UsageError(`--${name} is a time such as 90s, 30m, 12h or 2d, not ${JSON.stringify(written)}`)
  },
})

const readText = (given: Given, name: string): string | undefined => {
  if (given === undefined) return undefined
  if (typeof given === 'string' && given !== '') return given
  throw new UsageError(`--${name} needs a value`)
}
