import { arrived, type Upload } from '../api/answers.ts'
import { exitCodes, NotReachable } from '../errors.ts'
import type { Submitted } from './submit.ts'

/** What `--json` prints for one file. */
export const resultOf = (outcome: Submitted, ends: ReadonlyMap<string, Upload>): Record<string, unknown> => {
  const { file, url } = outcome.source
  const named = { file, source: url }
  if (outcome.kind === 'accepted') return { ...named, upload: ends.get(outcome.upload.id) ?? outcome.upload }
  if (outcome.kind === 'refused')
    return { ...named, problem: { ...outcome.error.problem, status: outcome.error.status } }
  return { ...named, problem: { detail: outcome.error.message, errors: [] } }
}

/** The exit code: `ends` when they were waited for. */
export const codeOf = (
  outcomes: readonly Submitted[],
  ends: ReadonlyMap<string, Upload> | undefined,
): number => {
  const isGone = outcomes.some(
    (outcome) => outcome.kind === 'unsent' && outcome.error instanceof NotReachable,
  )
  if (isGone) return exitCodes.unreachable
  const isDone = (outcome: Submitted): boolean => {
    if (outcome.kind !== 'accepted') return false
    return ends === undefined || arrived(ends.get(outcome.upload.id)?.state ?? '')
  }
  return outcomes.every(isDone) ? exitCodes.done : exitCodes.failed
}
