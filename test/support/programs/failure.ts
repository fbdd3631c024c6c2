/** A program such as the demo can not go on, for a reason that the person in front of it can understand. */
export class ProgramFailed extends Error {
  override name = 'ProgramFailed'
  /** Further lines, such as what a process said last. */
  readonly details: readonly string[]

  constructor(message: string, details: readonly string[] = []) {
    super(message)
    this.details = details
  }
}

/** Ctrl-C, or the process was told to end. */
export class Interrupted extends Error {
  override name = 'Interrupted'
}
