/** How figures are put into words, and made of several runs. */
export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

export function medianOf(values: readonly number[]): number {
  return quantileOf(values, 0.5)
}

export const medianBy = <Item>(items: readonly Item[], figureOf: (item: Item) => number): number =>
  medianOf(items.map(figureOf))

/** The smallest value that so many of all are not above. */
export function quantileOf(values: readonly number[], quantile: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN
}

export const formatMs = (ms: number): string =>
  ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(ms < 10 ? 2 : 0)} ms`

export const formatSeconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

export const formatMib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`

/** Bytes in a time, as MB/s. */
export const formatRate = (bytes: number, ms: number): string => `${(bytes / 1000 / ms).toFixed(0)} MB/s`

export const formatTimes = (times: number): string => `${times.toFixed(2)} ×`

export const formatRatio = (ours: number, bare: number): string => formatTimes(ours / bare)
