import { parseArgs } from 'node:util'

const MIB = 1024 * 1024
// What storage takes at least, so even a small demo has real parts.
const LEAST_PART = 5 * MIB
const USUAL_PART = 8 * MIB

export interface Flags {
  /** Leaves everything running at the end, until Ctrl-C. */
  readonly keep: boolean
  readonly partSize: number
}

const usage = `npm run demo -- [--keep] [--scale N]

  --keep     leave everything running at the end, to look at the dashboard
  --scale N  from 0.1 to 1: smaller parts and files, for slow disks`

/** Ends the process for `--help` and for flags that there are not. */
export function readFlags(): Flags {
  try {
    const { values } = parseArgs({
      options: {
        keep: { type: 'boolean', default: false },
        scale: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return leave(0, usage)
    return { keep: values.keep, partSize: partSizeOf(values.scale) }
  } catch (error) {
    return leave(2, `${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  }
}

function partSizeOf(text: string): number {
  const scale = Number(text)
  if (!(scale >= 0.1 && scale <= 1)) throw new Error(`--scale is a number from 0.1 to 1, not ${text}`)
  return Math.max(LEAST_PART, Math.round((USUAL_PART * scale) / MIB) * MIB)
}

function leave(code: number, text: string): never {
  console.log(text)
  process.exit(code)
}
