import { ProcessStops } from '#shared/errors.ts'

/** The job belongs to a later run: this one must do nothing more, least of all at the provider. */
export class LockLost extends Error {
  override name = 'LockLost'
}

/** This process still has an earlier run of the same job in its hands. */
export class StillRuns extends Error {
  override name = 'StillRuns'
}

/** How one run of a job is told to end. */
export interface Run {
  /** Aborts, for good and wherever it is, on `cut` and `lose`. */
  readonly abort: AbortController
  /** Aborts as soon as the process stops: work under way may end, nothing new is begun or waited for. */
  readonly stopping: AbortController
}

/** The runs of one queue in this process: at most one per job. */
export function createRuns() {
  const runs = new Map<string, Run>()
  let stopped = false

  const lose = (jobId: string): void =>
    runs.get(jobId)?.abort.abort(new LockLost(`Another run has ${jobId} now`))

  return {
    /**
     * Does the work of a run. Throws `ProcessStops` without it while the process stops, and `StillRuns` while
     * an earlier run of the job goes on, which is told that it lost the job.
     */
    hold: async <T>(jobId: string, work: (run: Run) => Promise<T>): Promise<T> => {
      if (runs.has(jobId)) {
        lose(jobId)
        // BullMQ renews one lock per job id, and forgets it when the first of two runs ends.
        throw new StillRuns(`An earlier run of ${jobId} still ends`)
      }
      if (stopped) throw new ProcessStops()
      const run = { abort: new AbortController(), stopping: new AbortController() }
      runs.set(jobId, run)
      try {
        return await work(run)
      } finally {
        runs.delete(jobId)
      }
    },

    lose,

    /** From now on nothing is begun, and who only waits for something gives up. */
    stop: (): void => {
      stopped = true
      for (const { stopping } of runs.values()) stopping.abort(new ProcessStops())
    },

    /** Ends what still goes on. */
    cut: (): void => {
      for (const { abort } of runs.values()) abort.abort(new ProcessStops())
    },

    areNone: (): boolean => runs.size === 0,
  }
}
