import { describe, expect, test } from 'vitest'
import { type Surroundings, waitingFor } from '#producer/waiting-for.ts'
import { parseUpload, type UploadRecord } from '#shared/records/upload.ts'

const record = (fields: Readonly<Record<string, string>> = {}): UploadRecord =>
  parseUpload({
    v: '1',
    id: 'upl_b',
    provider: 'vrchat',
    account: 'main',
    state: 'queued',
    desired: 'run',
    source: 'file:///a',
    fileName: 'a',
    request: '{}',
    plan: '{"partSize":1}',
    destination: 'vrchat/x',
    verify: 'none',
    ...fields,
  })

const nothing: Surroundings = { accountState: 'ready', parkedUntil: undefined, first: undefined }

describe('a queued upload waits for', () => {
  test('a person, before anything else', () => {
    const around = { accountState: 'needs-2fa', parkedUntil: 1, first: 'upl_a' } as const
    expect(waitingFor(record(), around)).toBe('account: needs-2fa')
  })

  test('the end of a pause that the provider asked for', () => {
    const around = { ...nothing, parkedUntil: Date.UTC(2027, 0, 31), first: 'upl_a' }
    expect(waitingFor(record(), around)).toBe('account: parked until 2027-01-31T00:00:00.000Z')
  })

  test('the upload that comes first at its destination', () => {
    expect(waitingFor(record(), { ...nothing, first: 'upl_a' })).toBe('destination: upl_a')
  })

  test('its turn, when it is the first itself', () => {
    expect(waitingFor(record(), { ...nothing, first: 'upl_b' })).toBe('turn')
    expect(waitingFor(record(), nothing)).toBe('turn')
  })
})

test('a running upload says itself what it waits for', () => {
  const running = { state: 'transferring', waitingFor: 'the provider is away' }

  expect(waitingFor(record(running), nothing)).toBe('the provider is away')
  expect(waitingFor(record({ state: 'transferring' }), nothing)).toBeNull()
})

test('an ended upload waits for nothing, whatever was noted', () => {
  expect(waitingFor(record({ state: 'failed', waitingFor: 'x' }), nothing)).toBeNull()
})
