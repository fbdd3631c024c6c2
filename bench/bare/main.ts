import { readFile } from 'node:fs/promises'
import { inParallel } from '../parallel.ts'
import { peakMemoryOf } from '../usage.ts'
import { createReader } from './content.ts'
import { barePlan } from './plan.ts'
import type { BareResult } from './plan.ts'
import { openBareClient } from './upload.ts'

/** The bare loop, a process of its own as the worker is one: the file of its plan in, a result out. */
const plan = barePlan.parse(JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')))
await using reader = createReader(plan)
await using client = await openBareClient(plan, reader)
await inParallel(plan.warmUp, plan.uploadsAtOnce, client.upload)

const began = performance.now()
const before = process.cpuUsage()
await inParallel(plan.files, plan.uploadsAtOnce, client.upload)
const { user, system } = process.cpuUsage(before)
const result: BareResult = {
  wallMs: performance.now() - began,
  cpuMs: (user + system) / 1000,
  peakBytes: await peakMemoryOf('self'),
}
console.log(JSON.stringify(result))
