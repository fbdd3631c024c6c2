import { describe, expect, test } from 'vitest'
import { createOnedriveStore } from '../../../fakes/cloudreve/stores/onedrive.ts'
import type { Opened } from '../../../fakes/cloudreve/stores/store.ts'
import { type Answer, KEY, type Stage, send, stage } from './stage.ts'

const BYTES = Buffer.from('the quick brown fox')

async function opened(): Promise<{ drive: Stage; session: Opened }> {
  const drive = await stage((host) => createOnedriveStore(host, { rangeUnit: 4 }))
  return { drive, session: await drive.open(BYTES, 8) }
}

function put(
  { upload_urls: [url] }: Opened,
  [start, end]: readonly [number, number],
  {
    range = `bytes ${start}-${end - 1}/${BYTES.length}`,
    ...sent
  }: { range?: string } & Parameters<typeof send>[2] = {},
): Promise<Answer> {
  const headers = { 'content-range': range, ...sent.headers }
  return send('PUT', url, { body: BYTES.subarray(start, end), ...sent, headers })
}

const errorOf = ({ status, json }: Answer): unknown[] => {
  const { code, innererror } = Object(Object(json).error)
  return [status, code, Object(innererror).code]
}

const expected = ({ json }: Answer): unknown => Object(json).nextExpectedRanges

test('ranges one after the other become the file', async () => {
  const { drive, session } = await opened()

  const first = await put(session, [0, 8])
  const status = await send('GET', session.upload_urls[0])
  const second = await put(session, [8, 16])
  const last = await put(session, [16, 19])

  expect([first.status, second.status, last.status]).toEqual([202, 202, 201])
  expect([first, status, second].map(expected)).toEqual([['8-'], ['8-'], ['16-']])
  expect(Object(status.json).expirationDateTime).toMatch(/^\d{4}-.*Z$/)
  expect(last.json).toMatchObject({ name: "a b+c'(ü).bin", size: 19 })
  expect(await drive.store.read(KEY)).toEqual(BYTES)
  expect(drive.store.unfinished()).toBe(0)
  expect(drive.host.violations).toEqual([])
  expect(drive.host.ledger.map(({ operation, chunkIndex }) => [operation, chunkIndex])).toEqual([
    ['onedrive.putRange', 0],
    ['onedrive.status', undefined],
    ['onedrive.putRange', 1],
    ['onedrive.putRange', 2],
  ])
})

test('what came already is told by 416 and by asking', async () => {
  const { drive, session } = await opened()
  await put(session, [0, 8])

  const again = await put(session, [0, 8])
  const status = await send('GET', session.upload_urls[0])

  expect(errorOf(again)).toEqual([416, 'invalidRange', 'fragmentOverlap'])
  expect(expected(status)).toEqual(['8-'])
  expect(drive.host.violations).toEqual([])
})

test('the same range twice at once: one is taken, the other overlaps', async () => {
  const { session } = await opened()

  const both = await Promise.all([put(session, [0, 8]), put(session, [0, 8])])

  expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 416])
})

test('a range that was cut off is not kept', async () => {
  const { drive, session } = await opened()
  drive.host.faults.add({
    operation: 'onedrive.putRange',
    nth: 1,
    action: { kind: 'reset-mid-body', afterBytes: 2 },
  })

  await expect(put(session, [0, 8])).rejects.toThrow(/closed|ECONNRESET|EPIPE/)
  const status = await send('GET', session.upload_urls[0])

  expect(expected(status)).toEqual(['0-'])
})

describe('refused', () => {
  test.each([
    ['a range ahead of its turn', [8, 16], {}, [416, 'invalidRange', undefined]],
    ['an odd range that is not the last', [0, 7], {}, [400, 'invalidRequest', undefined]],
    ['another total', [0, 8], { range: 'bytes 0-7/20' }, [400, 'invalidRequest', undefined]],
    ['a range of another length', [0, 8], { range: 'bytes 0-3/19' }, [400, 'invalidRequest', undefined]],
    ['a range beyond the end', [0, 8], { range: 'bytes 12-19/19' }, [400, 'invalidRequest', undefined]],
    ['no range', [0, 8], { range: 'bytes */19' }, [400, 'invalidRequest', undefined]],
    [
      'another content-type',
      [0, 8],
      { headers: { 'content-type': 'a/b' } },
      [415, 'invalidRequest', undefined],
    ],
    [
      'an authorization',
      [0, 8],
      { headers: { authorization: 'Bearer x.y.z' } },
      [401, 'unauthenticated', undefined],
    ],
  ] as const)('%s', async (_, range, sent, error) => {
    const { drive, session } = await opened()

    const answer = await put(session, range, sent)

    expect(errorOf(answer)).toEqual(error)
    expect(drive.host.violations).not.toEqual([])
    expect(await send('GET', session.upload_urls[0])).toMatchObject({ json: { nextExpectedRanges: ['0-'] } })
  })

  test('a chunked body, and other methods', async () => {
    const { drive, session } = await opened()
    const body = (async function* () {
      yield BYTES.subarray(0, 8)
    })()

    const chunked = await put(session, [0, 8], { body })
    const patch = await send('PATCH', session.upload_urls[0])

    expect([chunked.status, patch.status]).toEqual([411, 405])
    expect(drive.host.violations).toHaveLength(2)
  })

  test('sessions that are over', async () => {
    const { drive, session } = await opened()
    const other = await drive.open(BYTES, 0)
    await drive.store.abort('session-2')
    const aborted = await put(other, [0, 19])
    for (const range of [
      [0, 8],
      [8, 16],
      [16, 19],
    ] as const)
      await put(session, range)
    const third = await drive.open(BYTES, 8)
    const after = await send('GET', session.upload_urls[0])
    drive.aheadMs = 3_700_000
    const late = await put(third, [0, 8])

    for (const answer of [aborted, after, late])
      expect(errorOf(answer)).toEqual([404, 'itemNotFound', undefined])
    expect(drive.host.violations).toEqual([])
  })

  test('an empty file', async () => {
    const { drive } = await opened()

    await expect(drive.open(0, 8)).rejects.toThrow('empty file')
  })
})

test('the real unit is 320 KiB', async () => {
  const drive = await stage(createOnedriveStore)
  const bytes = Buffer.alloc(2 * 327_680 + 1)
  const session = await drive.open(bytes, 327_680)
  const headers = (start: number, end: number) => ({
    'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
  })

  const odd = await send('PUT', session.upload_urls[0], {
    body: bytes.subarray(0, 327_679),
    headers: headers(0, 327_679),
  })
  const even = await send('PUT', session.upload_urls[0], {
    body: bytes.subarray(0, 655_360),
    headers: headers(0, 655_360),
  })
  const last = await send('PUT', session.upload_urls[0], {
    body: bytes.subarray(655_360),
    headers: headers(655_360, 655_361),
  })

  expect([odd.status, even.status, last.status]).toEqual([400, 202, 201])
})

test('it asks for patience by fault', async () => {
  const { drive, session } = await opened()
  drive.host.faults.add({
    operation: 'onedrive.putRange',
    nth: 1,
    action: { kind: 'status', status: 429, headers: { 'retry-after': '3' } },
  })

  const answer = await put(session, [0, 8])

  expect(errorOf(answer)).toEqual([429, 'activityLimitReached', undefined])
  expect(answer.headers['retry-after']).toBe('3')
})
