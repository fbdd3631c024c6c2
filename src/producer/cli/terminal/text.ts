const segmenter = new Intl.Segmenter()
// Names come from other people's files and servers: escape sequences in them would reach the terminal, and
// direction marks would show another name than there is.
const unprintable = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu
const wide =
  /\p{Extended_Pictographic}|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u
const narrowPictures = /^[\u00a9\u00ae\u203c-\u2bff]$/u

/** One line that is safe to print. */
export const printable = (text: string): string => text.replaceAll(unprintable, '\ufffd')

/** Columns that a text takes on a terminal. */
export const widthOf = (text: string): number =>
  [...segmenter.segment(text)].reduce((sum, { segment }) => sum + widthOfOne(segment), 0)

const widthOfOne = (character: string): number => {
  if (/^[\x20-\x7e]$/.test(character) || narrowPictures.test(character)) return 1
  if (/^\p{M}+$/u.test(character)) return 0
  return wide.test(character) ? 2 : 1
}

/** The text, or its beginning and an ellipsis, in at most that many columns. */
export const shorten = (text: string, columns: number): string => {
  if (widthOf(text) <= columns) return text
  let short = ''
  let used = 1
  for (const { segment } of segmenter.segment(text)) {
    used += widthOfOne(segment)
    if (used > columns) break
    short += segment
  }
  return columns < 1 ? '' : `${short}…`
}

export const padEnd = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - widthOf(text)))

export const padStart = (text: string, columns: number): string =>
  ' '.repeat(Math.max(0, columns - widthOf(text))) + text
