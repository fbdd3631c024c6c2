const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `0 B`, `1.5 KiB`, `303 MiB`. */
export const formatBytes = (bytes: number): string => {
  let value = bytes
  let unit = 0
  // 1023.6 would be shown as 1024.
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`
}

export const formatSpeed = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`

/** `0:05`, `12:34`, `3:02:01`. */
export const formatClock = (ms: number): string => {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

const two = (value: number): string => String(value).padStart(2, '0')

const ages = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const

/** `now`, `12 s`, `5 min`, `3 h`, `40 d`. */
export const formatAge = (ms: number): string => {
  const [length, unit] = ages.find(([length]) => ms >= length) ?? [0, '']
  return length === 0 ? 'now' : `${Math.floor(ms / length)} ${unit}`
}

export const formatPercent = (fraction: number): string => `${Math.floor(fraction * 100)}%`

/** `1 part`, `3 parts`. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`
