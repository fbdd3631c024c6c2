// A process that looks for a server on its own PATH and says what it found, or why it found none.
import { findServer } from '#shared/redis/binary.ts'

const [cacheDir = ''] = process.argv.slice(2)
const answer = await findServer({ cacheDir, log: () => {} }).catch((error: unknown) => String(error))
process.stdout.write(JSON.stringify(answer))
