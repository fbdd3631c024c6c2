import { local } from './local.ts'
import type { Transport } from './transport.ts'

/**
 * The site takes the whole file in one request and hands it on to its store, whatever kind that is.
 * cloudreve/frontend:src/component/Uploader/core/uploader/local.ts@19da0fe
 */
export const relay: Transport = { ...local, inOrder: true }
