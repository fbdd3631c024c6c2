import { defineConfig } from 'vitest/config'
import { createCounts } from './test/support/counts.ts'

// Every suite but `unit` talks to a real Redis, obtained the way the service itself obtains one.
const withRedis = { globalSetup: 'test/support/redis.ts', testTimeout: 60_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    allowOnly: false,
    reporters: ['default', createCounts()],
    // Most of the time of most tests is waiting: for a lock to end, a pause, a process to start.
    maxWorkers: 4,
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { test: { name: 'contract', include: ['test/contract/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], ...withRedis } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...withRedis, testTimeout: 180_000 } },
    ],
  },
})
