import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { HookEvent } from '../../fakes/vrchat/server.ts'
import { openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { PATIENCE_MS, patiently, steady } from './patience.ts'
import { PART_SIZE } from './calls.ts'

/** Somebody else who is logged in as the same user, at the website say, removes it. */
async function removeAsSomebody({ fake, requests }: Service, path: string): Promise<void> {
  const { cookie = '', 'user-agent': agent = '' } = requests('createFileVersion')[0]?.headers ?? {}
  const answer = await fetch(`${fake.baseUrl}${path}`, {
    method: 'DELETE',
    headers: { cookie, 'user-agent': agent },
  })
  expect(answer.status).toBe(200)
}

const steps: readonly (readonly [string, (event: HookEvent) => boolean])[] = [
  ['a part (S3)', ({ operation, partNumber }) => operation === 'putPart' && partNumber === 3],
  [
    'the next part’s start (S3)',
    ({ operation, partNumber }) => operation === 'startFileDataUpload' && partNumber === 4,
  ],
  [
    'the finish of the file (S4)',
    ({ operation, fileType }) => operation === 'finishFileDataUpload' && fileType === 'file',
  ],
  [
    'the finish of the signature (S4)',
    ({ operation, fileType }) => operation === 'finishFileDataUpload' && fileType === 'signature',
  ],
]

test.concurrent.each(steps)(
  'row 27: a version that somebody removes right before %s is made anew once, its bytes owned up to',
  { timeout: PATIENCE_MS },
  async (_, isMoment) => {
    await using service = await openService({ env: steady, limits: { partsAtOnce: 1 } })
    const { fake } = service
    const fileId = fake.seedFile()
    let removed = 0
    fake.hooks.onRequest = async (event) => {
      if (event.phase !== 'arrival' || removed > 0 || !isMoment(event)) return
      removed += 1
      await removeAsSomebody(service, `/file/${fileId}/1`)
    }
    const content = randomBytes(4 * PART_SIZE)
    const id = await service.upload({ name: 'a.vrcw', content, request: { destination: { fileId } } })
    const record = await patiently(service, id)

    expect(record).toMatchObject({ state: 'completed', epoch: 2, version: { number: 2 } })
    expect(removed).toBe(1)
    expect(await fake.sha256Of(fileId, 2, 'file')).toBe(createHash('sha256').update(content).digest('hex'))
    expect(service.requests('createFileVersion')).toHaveLength(2)
    expect(fake.openVersions()).toEqual([])
    expect(fake.violations).toEqual([])
    const received = service.requests('putPart').reduce((sum, { bytes }) => sum + bytes, 0)
    const [version] = fake.files[0]?.versions.filter((one) => one.version === 2) ?? []
    const declared = content.length + (version?.signature?.declaredSize ?? 0)
    expect(record.bytesSent).toBe(declared)
    expect(record.bytesResent).toBe(received - declared)
    expect(record.bytesResent).toBeGreaterThan(0)
  },
)

test.concurrent(
  'row 27: a version that is removed again and again is given up, and nothing is left',
  { timeout: PATIENCE_MS },
  async () => {
    await using service = await openService({ env: steady, limits: { partsAtOnce: 1 } })
    const { fake } = service
    const fileId = fake.seedFile()
    fake.hooks.onRequest = async ({ operation, phase, partNumber, version = 0 }) => {
      if (phase !== 'arrival' || operation !== 'putPart' || partNumber !== 2) return
      await removeAsSomebody(service, `/file/${fileId}/${version}`)
    }
    const request = { destination: { fileId } }
    const record = await patiently(
      service,
      await service.upload({ name: 'a.vrcw', content: 4 * PART_SIZE, request }),
    )

    expect(record).toMatchObject({ state: 'failed', epoch: 2, error: { class: 'session-lost' } })
    expect(record.error?.message).toContain('started over for this before')
    expect(service.requests('createFileVersion')).toHaveLength(2)
    expect(fake.openVersions()).toEqual([])
    expect(fake.violations).toEqual([])
  },
)
