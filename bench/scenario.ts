import type { Report } from './report.ts'

/** One thing that is measured. */
export interface Scenario {
  /** As it is asked for: `npm run bench -- NAME`. */
  readonly name: string
  /** One line for `--help`. */
  readonly what: string
  /** Takes so long that it runs only when it is named, or with `--all`. */
  readonly slow?: true
  /** Ends only when all that it started is gone. Throws when there is no figure to be had. */
  readonly run: (bench: Bench) => Promise<void>
}

/** What every scenario is given. */
export interface Bench {
  /** Sizes small enough for a smoke run: its figures say nothing. */
  readonly quick: boolean
  /** Where CPU profiles of the service's processes go, if they are wanted. */
  readonly profileDir: string | undefined
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal
  readonly report: Report
}
