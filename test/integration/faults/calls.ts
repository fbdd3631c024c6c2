import type { Operation } from '../../fakes/vrchat/server.ts'
import { eventually, KIB } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { PATIENCE_MS } from './patience.ts'
import type { Call } from './subject.ts'

export const PART_SIZE = 64 * KIB
export const TOTP_SECRET = 'JBSWY3DPEHPK3PXP'

/** One kind of call to VRChat. */
export interface VrchatCall extends Call {
  readonly operation: Operation
  readonly where?: { readonly fileType?: string; readonly partNumber?: number }
  readonly account?: {
    readonly settings?: Readonly<Record<string, unknown>>
    readonly secondFactor?: boolean
  }
  readonly begin: (service: Service, content: Buffer) => Promise<string>
  readonly effects?: Partial<Record<Operation, number>>
  /** The version that is there in the end; 1 unless somebody had some before. */
  readonly version?: number
}

const plain: VrchatCall['begin'] = async (service, content) => service.upload({ name: 'cube.vrcw', content })

/** The nine of them; those that are done to two things in two rows. */
export const calls = {
  login: { name: 'login', operation: 'login', begin: plain, repeats: 'again' },
  secondFactor: {
    name: 'second factor',
    operation: 'verifyTotp',
    account: { secondFactor: true },
    begin: plain,
    effects: { verifyTotp: 1 },
    repeats: 'again',
  },
  createFile: { name: 'create File', operation: 'createFile', begin: plain, repeats: 'once' },
  createVersion: { name: 'create version', operation: 'createFileVersion', begin: plain, repeats: 'once' },
  start: {
    name: 'start',
    operation: 'startFileDataUpload',
    where: { partNumber: 2 },
    begin: plain,
    repeats: 'again',
  },
  part: { name: 'part', operation: 'putPart', where: { partNumber: 2 }, begin: plain, repeats: 'again' },
  finishFile: {
    name: 'finish of the file',
    operation: 'finishFileDataUpload',
    where: { fileType: 'file' },
    begin: plain,
    repeats: 'once',
  },
  finishSignature: {
    name: 'finish of the signature',
    operation: 'finishFileDataUpload',
    where: { fileType: 'signature' },
    begin: plain,
    repeats: 'once',
  },
  readBack: { name: 'read back', operation: 'getFile', begin: plain, repeats: 'free' },
  status: {
    name: 'status',
    operation: 'getFileDataUploadStatus',
    begin: async (service, content) => {
      // Asked for only after a refusal that nothing else explains.
      const action = { kind: 'status', status: 400 } as const
      service.fake.faults.add({ operation: 'putPart', where: { partNumber: 2 }, nth: 1, action })
      return plain(service, content)
    },
    repeats: 'free',
    attempts: 1,
    optional: true,
  },
  deleteVersion: {
    name: 'delete version',
    operation: 'deleteFileVersion',
    account: { settings: { onForeign: 'delete' } },
    begin: async (service, content) => {
      const fileId = service.fake.seedFile()
      await service.fake.seedVersion(fileId)
      await service.fake.seedVersion(fileId, { status: 'waiting', parts: [Buffer.from('of somebody else')] })
      return service.upload({ name: 'cube.vrcw', content, request: { destination: { fileId } } })
    },
    effects: { createFile: 0, deleteFileVersion: 1 },
    repeats: 'once',
    version: 3,
  },
  deleteFile: {
    name: 'delete File',
    operation: 'deleteFile',
    begin: async (service, content) => {
      service.fake.faults.add({ operation: 'putPart', where: { partNumber: 2 }, action: 'hang' })
      const id = await plain(service, content)
      await eventually(
        () => service.requests('putPart').some(({ partNumber }) => partNumber === 2),
        PATIENCE_MS / 2,
      )
      await service.stores.uploads.want(id, 'cancel')
      return id
    },
    effects: { finishFileDataUpload: 0, deleteFile: 1 },
    repeats: 'once',
    ends: 'cancelled',
  },
} as const satisfies Record<string, VrchatCall>
