import { z } from 'zod'

// eslint-disable-next-line no-control-regex -- control characters are what this refuses
const PRINTABLE = /^[^\u0000-\u001f\u007f]*$/

/** Any Unicode text of at most so many UTF-16 units. */
export const unicode = (most: number): z.ZodString =>
  z
    .string()
    .max(most)
    .refine((value) => value.isWellFormed(), 'has half a surrogate pair in it, which is no Unicode text')

/** The same on one line, without control characters. */
export const text = (most: number): z.ZodString =>
  unicode(most).regex(PRINTABLE, 'has control characters in it')
