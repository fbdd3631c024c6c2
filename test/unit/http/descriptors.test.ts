import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const script = fileURLToPath(new URL('without-descriptors.ts', import.meta.url))

test('row 32: without descriptors not even a name can be looked up, and that is this machine’s trouble', async () => {
  const argv = ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath, script]
  const { stdout } = await promisify(execFile)('/bin/sh', argv)

  expect(stdout).toMatch(/^HostTrouble: GET a part → .*too many files are open; raise `ulimit -n`/)
})
