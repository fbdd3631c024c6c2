/** What a server of this version can do, by the version matrix. */
export interface Abilities {
  chunkConcurrency: boolean
  encryption: boolean
  /** `previous` counts, and `policy_id` may be absent. */
  previous: boolean
  /** Knows which chunks it has, and reserves quota; earlier ones complete with the last index. */
  tracksChunks: boolean
}

export function abilitiesOf(version: string): Abilities {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const since = (wanted: number): boolean => major > 4 || (major === 4 && minor >= wanted)
  return {
    chunkConcurrency: since(7),
    encryption: since(10),
    previous: since(11),
    tracksChunks: since(18),
  }
}
