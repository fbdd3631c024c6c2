import { z } from 'zod'
import { callBack } from './callback.ts'
import type { StoreHost } from './host.ts'
import { slaveCredential } from './signing/slave.ts'
import type { Opening } from './store.ts'

/** What a slave and its master share: the site checks the callback by it. */
export const slaveSecret = 'the secret that master and slave share'

const envelopeSchema = z.object({ code: z.int() })

/** Reports that a file is whole; whether the master took it well. */
export async function tellMaster(host: StoreHost, { callbackUrl }: Opening): Promise<boolean> {
  const path = new URL(callbackUrl).pathname
  const authorization = slaveCredential(slaveSecret, { path }, host.now() + 60_000)
  const headers = { authorization, 'content-type': 'application/json' }
  const answer = await callBack(host, callbackUrl, { headers, body: '{}' })
  return answer?.status === 200 && saysOk(answer.text)
}

function saysOk(text: string): boolean {
  try {
    return envelopeSchema.parse(JSON.parse(text)).code === 0
  } catch {
    return false
  }
}
