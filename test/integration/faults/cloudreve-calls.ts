import type { Operation } from '../../fakes/cloudreve/server.ts'
import type { StoreKind } from '../../fakes/cloudreve/stores/store.ts'
import type { Drive } from '../../support/cloudreve-service.ts'
import { eventually } from '../../support/service.ts'
import { PATIENCE_MS } from './patience.ts'
import type { Call } from './subject.ts'

/** One kind of call to Cloudreve, or to a store of it. */
export interface CloudreveCall extends Call {
  readonly operation: Operation
  readonly where?: { readonly chunkIndex: number }
  /** The storage policy that the upload goes to. */
  readonly policy: 'local' | Extract<StoreKind, 's3' | 'onedrive'>
  readonly begin: (drive: Drive, content: Buffer) => Promise<string>
  readonly effects?: Partial<Record<Operation, number>>
  /** Calls of this kind are repeated at once, when something in front of the site refuses them. */
  readonly isRepeated?: boolean
}

/** There are four chunks. */
export const LAST = 3

const plain: CloudreveCall['begin'] = async (drive, content) => drive.upload({ name: 'a.bin', content })

/** Each is done to the policy at which it can go wrong in most ways. */
export const cloudreveCalls = {
  login: { name: 'login', operation: 'login', policy: 'local', begin: plain, repeats: 'again' },
  refresh: {
    name: 'refresh',
    operation: 'refresh',
    policy: 'local',
    begin: async (drive, content) => {
      let expired = false
      drive.fake.hooks.onRequest = ({ operation, phase }) => {
        if (expired || operation !== 'ping' || phase !== 'after-reply') return
        expired = true
        drive.fake.expireTokens()
      }
      return plain(drive, content)
    },
    effects: { refresh: 1 },
    repeats: 'again',
  },
  create: {
    name: 'create session',
    operation: 'createSession',
    policy: 'local',
    begin: plain,
    // Its answer has all the addresses, and nobody tells them a second time.
    repeats: 'again',
    undoneBy: 'deleteSession',
  },
  chunk: {
    name: 'chunk',
    operation: 'sendChunk',
    where: { chunkIndex: 1 },
    policy: 'local',
    begin: plain,
    repeats: 'again',
  },
  lastChunk: {
    name: 'last chunk',
    operation: 'sendChunk',
    where: { chunkIndex: LAST },
    policy: 'local',
    begin: plain,
    repeats: 'once',
  },
  part: {
    name: 'part (S3)',
    operation: 's3.putPart',
    where: { chunkIndex: 1 },
    policy: 's3',
    begin: plain,
    repeats: 'again',
  },
  range: {
    name: 'range (OneDrive)',
    operation: 'onedrive.putRange',
    where: { chunkIndex: 1 },
    policy: 'onedrive',
    begin: plain,
    repeats: 'once',
  },
  complete: { name: 'complete (S3)', operation: 's3.complete', policy: 's3', begin: plain, repeats: 'once' },
  callback: {
    name: 'callback (S3)',
    operation: 'callback',
    policy: 's3',
    begin: plain,
    repeats: 'asks',
    isRepeated: true,
  },
  callbackOfOneDrive: {
    name: 'callback (OneDrive)',
    operation: 'callback',
    policy: 'onedrive',
    begin: plain,
    repeats: 'asks',
    isRepeated: true,
  },
  info: { name: 'info', operation: 'info', policy: 'local', begin: plain, repeats: 'free', isRepeated: true },
  delete: {
    name: 'delete session',
    operation: 'deleteSession',
    policy: 'local',
    begin: async (drive, content) => {
      drive.fake.faults.add({ operation: 'sendChunk', where: { chunkIndex: 1 }, action: 'hang' })
      const id = await plain(drive, content)
      await eventually(
        () => drive.requests('sendChunk').some(({ chunkIndex }) => chunkIndex === 1),
        PATIENCE_MS / 2,
      )
      await drive.stores.uploads.want(id, 'cancel')
      return id
    },
    effects: { sendChunk: 1, deleteSession: 1 },
    repeats: 'once',
    ends: 'cancelled',
  },
} as const satisfies Record<string, CloudreveCall>
