import { openSync } from 'node:fs'
import { createHttp } from '#shared/http.ts'

/** Asks a host by its name when not one more file can be opened, and says what was thrown. */
const http = createHttp()
try {
  for (;;) openSync('/dev/null', 'r')
} catch {
  // Now there are none left.
}
const asked = { method: 'GET', url: 'http://storage.stevedore.invalid/', what: 'GET a part' } as const
const thrown = await http.send(asked, new AbortController().signal).catch((error: unknown) => error)
process.stdout.write(String(thrown))
process.exit()
