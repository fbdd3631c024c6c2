import { loadConfig } from '#shared/config.ts'
import { isAlive } from './alive.ts'

// A container's health check: exit code 0 while its worker lives.
process.exitCode = (await isAlive(loadConfig(process.env, 'cli').dataDir)) ? 0 : 1
