// A process that obtains the embedded Redis, says what it got, and lives until it is killed.
import { startEmbedded } from '#shared/redis/embedded.ts'

const [dataDir = '', cacheDir = ''] = process.argv.slice(2)
const log = (message: string) => void process.stderr.write(`${message}\n`)
process.stdout.write('starting\n')
const { url, kind } = await startEmbedded({ dataDir, cacheDir, log })
process.stdout.write(`${JSON.stringify({ url, kind })}\n`)
