import { sendChunk } from '../site/api.ts'
import { codes, siteCode } from '../site/codes.ts'
import type { Work } from '../deps.ts'
import { standingOf } from '../standing.ts'
import { sendToSite } from './site-chunks.ts'
import type { Chunk, Transport } from './transport.ts'

/**
 * The site keeps the bytes itself, and completes the file with its last chunk.
 * cloudreve/frontend:src/component/Uploader/core/uploader/local.ts@19da0fe
 */
export const local: Transport = {
  sendChunk: (work, chunk) => sendToSite(work, chunk, () => sendAsTheAccount(work, chunk)),
}

/** To a chunk with an outdated token the site says that there is no such session, as that token is nobody's. */
const sendAsTheAccount = async (work: Work, { state, part, body }: Chunk): Promise<void> => {
  const { api, timing, signal } = work
  const send = (): Promise<void> =>
    sendChunk(api, { sessionId: state.sessionId, index: part.number - 1, body }, timing.chunkMs)
  const token = api.tokenId()
  try {
    await send()
  } catch (error) {
    signal.throwIfAborted()
    if (siteCode(error) !== codes.sessionGone) throw error
    // This call renews a token that is no longer good.
    const { kind } = await standingOf(work, state)
    if (kind !== 'open' || api.tokenId() === token) throw error
    await send()
  }
}
