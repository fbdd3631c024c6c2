import { accounts, isEnded } from './service.ts'
import type { Upload } from './service.ts'

// Of all bytes of a provider: late enough that much would be lost, early enough that much is left to do.
const FROM = 0.3
// From here on, parts of Cloudreve alone are enough: it is the faster one, as nothing is hashed for it.
const HURRY = 0.6

/** Of which providers a worker must be sending parts to be killed now; of none when it is too early, or too late. */
export function wantedNow(uploads: readonly Upload[]): readonly string[] {
  const running = accounts.flatMap(({ provider }) => {
    const own = uploads.filter((upload) => upload.provider === provider)
    return own.every(isEnded) ? [] : [{ provider, fraction: fractionOf(own) }]
  })
  if (!running.some(({ fraction }) => fraction >= FROM)) return []
  const late = running.filter(({ provider, fraction }) => provider === 'cloudreve' && fraction >= HURRY)
  return (late.length > 0 ? late : running).map(({ provider }) => provider)
}

/** Of all that is to be sent, how much is there. */
function fractionOf(uploads: readonly Upload[]): number {
  const sent = uploads.reduce((sum, { bytesSent }) => sum + bytesSent, 0)
  return sent / uploads.reduce((sum, { size }) => sum + size, 0)
}
