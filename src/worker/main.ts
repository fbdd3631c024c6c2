import { boot } from '#shared/boot.ts'
import { loadConfig } from '#shared/config.ts'
import { createLog } from '#shared/log.ts'
import { untilStopped } from '#shared/until-stopped.ts'
import { startWorker } from './start.ts'

const config = loadConfig(process.env, 'worker')
const log = createLog({ level: config.logLevel, role: 'worker' })
await using booted = await boot(config, { name: 'worker', log })
await using _worker = await startWorker({ config, boot: booted, log })
log.info('worker runs')
await untilStopped()
log.info('draining: parts under way may finish')
