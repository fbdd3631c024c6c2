import type { Draft } from './session.ts'

/** What a person is told about a File that may have been made, and that nobody can tell apart. */
export const orphanNote = ({ name, since }: NonNullable<Draft['possibleOrphan']>): string =>
  `A request to create the File “${name}” got no answer at ${new Date(since).toISOString()}, and no File could be ` +
  'told to be its: one more, without a version, may have been left in your list of files'
