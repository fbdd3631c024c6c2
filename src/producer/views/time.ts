/** A time as the API shows it: ISO 8601, in UTC. */
export const time = (ms: number): string => new Date(ms).toISOString()

export const timeOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : time(ms))
