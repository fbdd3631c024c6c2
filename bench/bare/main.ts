import { readFile } from 'node:fs/promises'
import { inParallel } from '../parallel.ts'
import { peakMemoryOf } from '../usage.ts'
import { openBareDrive } from './cloudreve.ts'
import { barePlan } from './plan.ts'
import type { BareResult } from './plan.ts'
import { openBareClient } from './vrchat.ts'

/** The bare loop, a process of its own as the worker is one: the file of its plan in, a result out. */
const plan = barePlan.parse(JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')))
await using client = await (plan.provider === 'vrchat' ? openBareClient(plan) : openBareDrive(plan))
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
