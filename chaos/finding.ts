/** Something that is not as it must be. */
export interface Finding {
  /** The upload, where it is one's. */
  readonly id?: string
  readonly what: string
}
