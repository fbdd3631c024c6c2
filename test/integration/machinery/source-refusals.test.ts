import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createFileSources } from '#shared/sources/file.ts'
import { openService } from '../../support/service.ts'

const run = promisify(execFile)

const sources: Record<string, { make: (folder: string, outside: string) => Promise<string>; says: string }> =
  {
    missing: { make: async (folder) => join(folder, 'nothing.vrcw'), says: 'does not exist' },
    'a folder': {
      make: async (folder) => {
        await mkdir(join(folder, 'a-folder'))
        return join(folder, 'a-folder')
      },
      says: 'is a folder',
    },
    'a named pipe': {
      make: async (folder) => {
        await run('mkfifo', [join(folder, 'pipe')])
        return join(folder, 'pipe')
      },
      says: 'is a named pipe',
    },
    'outside of the roots': {
      make: async (_, outside) => {
        await writeFile(join(outside, 'file'), 'secret')
        return join(outside, 'file')
      },
      says: 'is outside the source roots',
    },
    'a link that leads out of the roots': {
      make: async (folder, outside) => {
        await writeFile(join(outside, 'file'), 'secret')
        await symlink(join(outside, 'file'), join(folder, 'link'))
        return join(folder, 'link')
      },
      says: 'is outside the source roots',
    },
    'in a folder that is a link out of the roots': {
      make: async (folder, outside) => {
        await writeFile(join(outside, 'file'), 'secret')
        await symlink(outside, join(folder, 'linked'))
        return join(folder, 'linked', 'file')
      },
      says: 'is outside the source roots',
    },
    'a device': { make: async () => '/dev/zero', says: 'is outside the source roots' },
  }

test.each(Object.entries(sources))(
  'row 35: a source that is %s is refused, and nothing is asked of VRChat',
  async (_, source) => {
    await using service = await openService()
    const outside = await mkdtemp(join(tmpdir(), 'stevedore-outside-'))
    try {
      const path = await source.make(service.machine.folder, outside)
      const id = await service.machine.accept({ path, request: { destination: { name: 'world' } } })
      const record = await service.until(id)

      expect(record).toMatchObject({ state: 'failed', error: { class: 'source-refused' }, epoch: 1 })
      expect(record.error?.message).toContain(source.says)
      expect(service.fake.ledger).toEqual([])
    } finally {
      await rm(outside, { recursive: true })
    }
  },
)

test('row 35: a source that may not be read is refused with what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-closed-'))
  try {
    const path = join(folder, 'closed.vrcw')
    await writeFile(path, 'secret')
    await chmod(folder, 0o755)
    await chmod(path, 0)
    const files = createFileSources([folder])

    await expect(asNobody(() => files.fingerprint(path))).rejects.toMatchObject({
      class: 'source-refused',
      message: expect.stringContaining('is not readable'),
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})

/** Root may read everything: for the length of `work` this process is nobody, if it was root. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid?.(65_534)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

test('row 35: a link that stays under the roots is a source like any other', async () => {
  await using service = await openService()
  const path = await service.machine.source('real.vrcw', 10)
  await symlink(path, join(service.machine.folder, 'link.vrcw'))
  expect(await service.until(await service.upload({ name: 'link.vrcw' }))).toMatchObject({
    state: 'completed',
  })
})

test('a refused source is retried once it is there', async () => {
  await using service = await openService()
  const id = await service.upload({ name: 'late.vrcw' })
  expect(await service.until(id)).toMatchObject({ state: 'failed' })
  await service.machine.source('late.vrcw', 10)
  await service.stores.uploads.want(id, 'retry')
  expect(await service.until(id)).toMatchObject({ state: 'completed' })
})
