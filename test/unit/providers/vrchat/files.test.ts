import { expect, test } from 'vitest'
import {
  base64Of,
  file,
  hexOf,
  highestNumber,
  newestComplete,
  realVersions,
  unfinished,
} from '#shared/providers/vrchat/files.ts'
import { plainEtag } from '#shared/providers/vrchat/parts.ts'

const data = (status: string, more: Record<string, unknown> = {}) => ({
  fileName: 'Avatar.file_1.1.unitypackage',
  url: 'https://s3.us-east-1.amazonaws.com/files.vrchat.cloud/Avatar.file_1.1.unitypackage',
  md5: 'xxxxxxxxxxxxxxxxxxx==',
  sizeInBytes: 303_055_180,
  status,
  category: 'multipart',
  uploadId: 'x',
  ...more,
})

/** The old form, with a delta that never was: docs/vrchat.md, Files and versions. */
const older = {
  id: 'file_00000000-0000-0000-0000-000000000000',
  name: 'Avatar - Test Avatar - Unity package - 2017․4․28f1_3_standalonewindows_Release',
  ownerId: 'usr_c1644b5b-3ca4-45b4-97c6-a2a0de70d469',
  mimeType: 'application/gzip',
  extension: '.unitypackage',
  tags: [],
  versions: [
    { version: 0, status: 'complete', created_at: 'none' },
    {
      version: 1,
      status: 'complete',
      created_at: '2019-08-15T11:04:49.702Z',
      file: data('complete'),
      delta: data('none', { md5: '', sizeInBytes: 0, category: 'queued', uploadId: '' }),
      signature: data('complete', { category: 'simple', uploadId: '' }),
    },
  ],
}

test('the older form of a File is read', () => {
  const read = file.parse(older)
  expect(newestComplete(read)).toMatchObject({ version: 1, delta: { status: 'none', category: 'queued' } })
})

test('a status nobody has heard of breaks nothing', () => {
  const versions = [{ version: 3, status: 'paused', created_at: 'x', file: data('resting') }]
  expect(realVersions(file.parse({ ...older, versions }))).toMatchObject([{ version: 3, status: 'paused' }])
})

const version = (number: number, status: string, more = {}) => ({ version: number, status, ...more })

test('versions go by their number: not by place, not deleted, not 0', () => {
  const read = file.parse({
    ...older,
    versions: [
      version(7, 'waiting'),
      version(0, 'complete'),
      version(9, 'complete', { deleted: true }),
      version(3, 'complete'),
      version(2, 'waiting'),
      version(8, 'error'),
    ],
  })
  expect(realVersions(read).map(({ version }) => version)).toEqual([8, 7, 3, 2])
  expect(newestComplete(read)?.version).toBe(3)
  expect(unfinished(read).map(({ version }) => version)).toEqual([8, 7])
  expect(highestNumber(read)).toBe(9)
})

test('a File with nothing but version 0 has never been uploaded to', () => {
  const read = file.parse({ ...older, versions: [{ version: 0, status: 'complete' }] })
  expect([newestComplete(read), unfinished(read)]).toEqual([undefined, []])
})

test('MD5s are hex with us and base64 with VRChat', () => {
  expect(base64Of('d41d8cd98f00b204e9800998ecf8427e')).toBe('1B2M2Y8AsgTpgAmY7PhCfg==')
  expect(hexOf('1B2M2Y8AsgTpgAmY7PhCfg==')).toBe('d41d8cd98f00b204e9800998ecf8427e')
})

test.each(['abc', '"abc"', 'W/"abc"', ' "abc" '])('the ETag %s is abc', (etag) => {
  expect(plainEtag(etag)).toBe('abc')
})
