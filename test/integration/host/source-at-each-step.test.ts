import { randomBytes } from 'node:crypto'
import { appendFile, rename, truncate, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { HookEvent } from '../../fakes/vrchat/server.ts'
import { KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { sturdy } from './worker.ts'

const SIZE = 256 * KIB + 5

type Matches = Partial<Pick<HookEvent, 'operation' | 'fileType' | 'partNumber' | 'phase'>>

/** Up to the last finish, what is sent can still be taken back; after it, it is complete as it was accepted. */
const steps = {
  'the opening': { operation: 'createFileVersion', phase: 'arrival' },
  'a part': { operation: 'putPart', fileType: 'file', partNumber: 2, phase: 'arrival' },
  'the finish of the file': { operation: 'finishFileDataUpload', fileType: 'file', phase: 'arrival' },
} satisfies Record<string, Matches>

const lateSteps = {
  'the finish of the signature': {
    operation: 'finishFileDataUpload',
    fileType: 'signature',
    phase: 'before-reply',
  },
  'the reading back': { operation: 'getFile', phase: 'arrival' },
} satisfies Record<string, Matches>

/** Answers what the source holds from then on. */
type Change = (path: string) => Promise<Buffer>

const rewrite: Change = async (path) => {
  const content = randomBytes(SIZE)
  await writeFile(path, content)
  return content
}

const changes: Record<string, Change> = {
  'cut short': async (path) => {
    await truncate(path, 0)
    await truncate(path, 100 * KIB)
    return Buffer.alloc(100 * KIB)
  },
  'longer than before': async (path) => {
    const content = randomBytes(SIZE)
    await writeFile(path, content)
    await appendFile(path, 'more')
    return Buffer.concat([content, Buffer.from('more')])
  },
  'written anew with the same size': rewrite,
}

const remove: Change = async (path) => {
  await rename(path, `${path}.gone`)
  return Buffer.alloc(0)
}

const cross = <Step>(all: Record<string, Step>, how: Record<string, Change>) =>
  Object.entries(all).flatMap(([step, wanted]) =>
    Object.entries(how).map(([is, change]) => ({ is, step, wanted, change })),
  )

interface Changed {
  readonly id: string
  readonly before: Buffer
  /** What the source holds by now; `undefined` as long as it was not changed. */
  readonly after: () => Buffer | undefined
}

/** Changes the source once, at the first request that is so. */
async function changedAt(service: Service, wanted: Matches, change: Change): Promise<Changed> {
  const { fake, machine } = service
  const before = randomBytes(SIZE)
  let after: Buffer | undefined
  fake.hooks.onRequest = async (event) => {
    if (!Object.entries(wanted).every(([name, value]) => Reflect.get(event, name) === value)) return
    delete fake.hooks.onRequest
    after = await change(`${machine.folder}/a.vrcw`)
  }
  return { id: await service.upload({ name: 'a.vrcw', content: before }), before, after: () => after }
}

const oneByOne = { limits: { partsAtOnce: 1 }, env: sturdy }

test.concurrent.for(cross(steps, changes))(
  'row 30: a source that is $is at $step is sent anew as a whole, as it is then',
  async ({ wanted, change }) => {
    await using service = await openService(oneByOne)
    const { id, after } = await changedAt(service, wanted, change)
    const record = await service.until(id)
    const content = after() ?? Buffer.alloc(0)

    expect(record).toMatchObject({ state: 'completed', epoch: 2, size: content.length })
    const { remoteId = '', number = 0 } = record.version ?? {}
    expect((await service.fake.bytesOf(remoteId, Number(number), 'file')).equals(content)).toBe(true)
    expect(service.fake.files).toHaveLength(1)
    expect(service.fake.openVersions()).toEqual([])
    expect(service.fake.violations).toEqual([])
  },
)

test.concurrent.for(cross(steps, { removed: remove }))(
  'row 30: a source that is $is at $step makes its upload fail, and nothing of it is left',
  async ({ wanted, change }) => {
    await using service = await openService(oneByOne)
    const { id } = await changedAt(service, wanted, change)
    const record = await service.until(id)

    expect(record).toMatchObject({ state: 'failed', error: { class: 'source-refused' } })
    expect(record.error?.message).toContain('does not exist')
    expect(service.fake.files).toEqual([])
    expect(service.fake.violations).toEqual([])
  },
)

test.concurrent.for(cross(lateSteps, { removed: remove, rewritten: rewrite }))(
  'row 30: a source that is $is at $step comes too late: what was accepted is complete',
  async ({ wanted, change }) => {
    await using service = await openService(oneByOne)
    const { id, before, after } = await changedAt(service, wanted, change)
    const record = await service.until(id)

    expect(after()).toBeDefined()
    expect(record).toMatchObject({ state: 'completed', epoch: 1, size: SIZE, version: { number: 1 } })
    expect((await service.fake.bytesOf(record.version?.remoteId ?? '', 1, 'file')).equals(before)).toBe(true)
    expect(service.fake.violations).toEqual([])
  },
)
