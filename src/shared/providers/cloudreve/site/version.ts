/**
 * Whether a server is of this version or a later one. `-pro` says nothing about its age; anything else behind the
 * numbers comes before the release of that number.
 */
export const atLeast = (version: string, least: string): boolean => {
  const [a, b] = [numbersOf(version), numbersOf(least)]
  if (a === undefined || b === undefined) return false
  const at = a.findIndex((number, index) => number !== b[index])
  if (at !== -1) return (a[at] ?? 0) > (b[at] ?? 0)
  return /^v?[\d.]+(-pro)?$/i.test(version)
}

const numbersOf = (version: string): readonly number[] | undefined => {
  const found = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version)
  return found === null ? undefined : found.slice(1).map(Number)
}
