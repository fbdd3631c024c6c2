import { expect, test } from 'vitest'
import { readFileSync } from 'node:fs'
import { untilEnded } from '../support/kill/end-state.ts'
import { openService, PART_SIZE } from '../support/kill/service.ts'
import { startHost } from '../support/kill/worker-processes.ts'
const cpu = (pid: number) => { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return (Number(f[11]) + Number(f[12])) * 10 }
test('cpu', async () => {
  const host = startHost()
  for (let i = 0; i < 6; i++) {
    const m0 = process.cpuUsage()
    const s = await openService({ fake: { processingMs: 200 } })
    const m1 = process.cpuUsage(m0)
    const a = cpu(host.pid)
    const t0 = Date.now()
    const stop = await host.start(s.machine.env)
    const b = cpu(host.pid), t1 = Date.now()
    const sent = await s.upload(4 * PART_SIZE + 17000)
    expect(await untilEnded(s, sent, 30000)).toEqual([])
    const c = cpu(host.pid), t2 = Date.now()
    await stop()
    const t3 = Date.now()
    await s[Symbol.asyncDispose]()
    const m = process.cpuUsage(m0)
    console.log({ open: (m1.user + m1.system) / 1000, before: a, started: b, done: c, after: cpu(host.pid), me: (m.user + m.system) / 1000, wall: [t1 - t0, t2 - t1, t3 - t2, Date.now() - t3] })
  }
  await host[Symbol.asyncDispose]()
})
