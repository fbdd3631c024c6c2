import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { bareResult } from './plan.ts'
import type { BarePlan, BareResult } from './plan.ts'

/** Runs the bare loop as a process. Throws with what it said when it fails. */
export async function runBare(plan: BarePlan, signal: AbortSignal): Promise<BareResult> {
  const script = resolve(import.meta.dirname, 'main.ts')
  const path = join(plan.scratch, 'plan.json')
  await writeFile(path, JSON.stringify(plan))
  const { stdout } = await promisify(execFile)(process.execPath, [script, path], { signal })
  return bareResult.parse(JSON.parse(stdout))
}
