import { execFileSync } from 'node:child_process'
import { mkdir, mkdtempDisposable, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { createFileSources, resolveRoots } from '#shared/sources/file.ts'
import { locate, openLocated, openedPath } from '#shared/sources/open.ts'
import { sourceError } from '#shared/sources/refusal.ts'

interface Place extends AsyncDisposable {
  readonly root: string
  readonly outside: string
}

/** A root with `file` (5 bytes) in it, and a folder with `secret` beside it whose name begins the same. */
const makePlace = async (): Promise<Place> => {
  const folder = await mkdtempDisposable(join(await realpath(tmpdir()), 'stevedore-sources-'))
  const root = join(folder.path, 'root')
  const outside = join(folder.path, 'root-not')
  await mkdir(root)
  await mkdir(outside)
  await writeFile(join(root, 'file'), 'bytes')
  await writeFile(join(outside, 'secret'), 'secret')
  return { root, outside, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

const refusal = (...parts: readonly string[]): unknown =>
  expect.objectContaining({
    class: 'source-refused',
    message: expect.stringMatching(new RegExp(parts.map((part) => RegExp.escape(part)).join('.*'))),
  })

const failed = (code: string): Error => Object.assign(new Error(code), { code })

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve) => {
    server.listen(path, resolve)
  })

test('a file under a root is opened, and what it is can be told', async () => {
  await using place = await makePlace()
  const sources = createFileSources([place.root])

  const fingerprint = await sources.fingerprint(join(place.root, 'file'))
  await using handle = await sources.open(join(place.root, 'file'), fingerprint)

  expect(fingerprint).toEqual({
    size: 5,
    mtimeNs: expect.stringMatching(/^\d{19}$/),
    inode: expect.stringMatching(/^\d+$/),
  })
  expect(JSON.parse(JSON.stringify(fingerprint))).toEqual(fingerprint)
  expect(await handle.readFile('utf8')).toBe('bytes')
})

test('another file than the expected one is not opened', async () => {
  await using place = await makePlace()
  const path = join(place.root, 'file')
  const sources = createFileSources([place.root])
  const expected = await sources.fingerprint(path)
  await writeFile(join(place.root, 'next'), 'BYTES')
  await rename(join(place.root, 'next'), path)

  await expect(sources.open(path, expected)).rejects.toMatchObject({
    name: 'StartOver',
    class: 'source-changed',
    message: expect.stringContaining('another file has taken its place'),
  })
})

test('row 35: links are followed as long as they stay under a root', async () => {
  await using place = await makePlace()
  await symlink('file', join(place.root, 'link'))
  await symlink(place.root, join(place.outside, 'into-root'))
  const { fingerprint } = createFileSources([place.root])

  const direct = await fingerprint(join(place.root, 'file'))

  expect(await fingerprint(join(place.root, 'link'))).toEqual(direct)
  expect(await fingerprint(join(place.outside, 'into-root/file'))).toEqual(direct)
})

test('a root may be a link, or relative, or the whole machine', async () => {
  await using place = await makePlace()
  await symlink(place.root, join(place.outside, 'root-link'))
  const path = join(place.root, 'file')

  for (const root of [join(place.outside, 'root-link'), relative(process.cwd(), place.root), '/']) {
    expect((await createFileSources([root]).fingerprint(path)).size).toBe(5)
  }
})

test('row 35: what lies outside of the roots is refused, whichever way it is named', async () => {
  await using place = await makePlace()
  await symlink(place.outside, join(place.root, 'folder-out'))
  await symlink(join(place.outside, 'secret'), join(place.root, 'file-out'))
  const { fingerprint } = createFileSources([place.root])

  for (const path of [
    join(place.outside, 'secret'),
    `${place.root}/../root-not/secret`,
    join(place.root, 'folder-out/secret'),
    join(place.root, 'file-out'),
    // Not even that it does not exist is told.
    join(place.outside, 'nothing'),
  ]) {
    await expect(fingerprint(path)).rejects.toEqual(refusal(path, 'outside the source roots', place.root))
  }
})

test('a missing file, and a file in the place of a folder, are named', async () => {
  await using place = await makePlace()
  await symlink('nowhere', join(place.root, 'dangling'))
  await symlink('loop', join(place.root, 'loop'))
  const { fingerprint } = createFileSources([place.root])
  const path = (name: string): string => join(place.root, name)

  await expect(fingerprint(path('missing'))).rejects.toEqual(refusal(path('missing'), 'does not exist'))
  await expect(fingerprint(path('dangling'))).rejects.toEqual(refusal(path('dangling'), 'does not exist'))
  await expect(fingerprint(path('file/x'))).rejects.toEqual(refusal(path('file/x'), 'folders is a file'))
  await expect(fingerprint(path('loop'))).rejects.toEqual(refusal(path('loop'), 'leads back to itself'))
  await expect(fingerprint(path('x'.repeat(300)))).rejects.toEqual(refusal('longer name'))
})

test('row 35: folders, pipes, sockets and devices are refused by their names, and a pipe does not hang', async () => {
  await using place = await makePlace()
  const path = (name: string): string => join(place.root, name)
  execFileSync('mkfifo', [path('pipe')])
  const server = createServer()
  await listening(server, path('socket'))
  const { fingerprint } = createFileSources([place.root, '/dev'])

  await expect(fingerprint(place.root)).rejects.toEqual(refusal(place.root, 'is a folder'))
  await expect(fingerprint(path('pipe'))).rejects.toEqual(refusal(path('pipe'), 'is a named pipe'))
  await expect(fingerprint(path('socket'))).rejects.toEqual(refusal(path('socket'), 'is a socket'))
  await expect(fingerprint('/dev/null')).rejects.toEqual(refusal('/dev/null', 'is a device'))
  server.close()
})

test('row 35: a folder swapped for a link out of the roots, after the look and before the open, gives nothing away', async () => {
  await using place = await makePlace()
  const roots = resolveRoots([place.root])
  const path = join(place.root, 'folder/secret')
  await mkdir(join(place.root, 'folder'))
  await writeFile(path, 'harmless')
  const real = await locate(path, roots)

  await rm(join(place.root, 'folder'), { recursive: true })
  await symlink(place.outside, join(place.root, 'folder'))

  await expect(openLocated(path, real, roots)).rejects.toEqual(refusal(path, 'outside the source roots'))
})

test('row 35: a pipe that took the place of a file, after the look and before the open, does not hang', async () => {
  await using place = await makePlace()
  const path = join(place.root, 'file')
  const real = await locate(path)

  await rm(path)
  execFileSync('mkfifo', [path])

  await expect(openLocated(path, real)).rejects.toEqual(refusal(path, 'is a named pipe'))
})

test('where the kernel does not tell what was opened, the name must still mean the same file', async () => {
  await using place = await makePlace()
  const path = join(place.root, 'file')
  await using handle = await createFileSources([place.root]).open(path)
  const opened = await handle.stat({ bigint: true })

  expect(await openedPath(handle, opened, path, '/nowhere')).toBe(path)
  expect(await openedPath(handle, opened, join(place.outside, 'secret'), '/nowhere')).toBe('')
})

test('a root that is none is named at once', async () => {
  await using place = await makePlace()
  const missing = join(place.root, 'missing')
  const file = join(place.root, 'file')

  expect(() => createFileSources([place.root, missing])).toThrow(
    expect.objectContaining({ message: expect.stringContaining(`Source root ${missing} does not exist`) }),
  )
  expect(() => createFileSources([file])).toThrow(
    expect.objectContaining({ message: expect.stringContaining(`Source root ${file} is not a folder`) }),
  )
})

test('no failure of the file system is taken for another', () => {
  expect(sourceError('/a', failed('EACCES'))).toEqual(refusal('/a', 'not readable for this service'))
  expect(sourceError('/a', new Error('a bug'))).toMatchObject({ name: 'Error', cause: { message: 'a bug' } })
})

test.each([
  ['EMFILE', '/a could not be opened: too many files are open; raise `ulimit -n`'],
  ['ENFILE', '/a could not be opened: too many files are open; raise `ulimit -n`'],
  ['EIO', '/a could not be read (EIO): check its disk or share, and that it is mounted'],
  ['ESTALE', '/a could not be read (ESTALE): check its disk or share, and that it is mounted'],
])('row 32: a source that can not be read for %s is waited for, with the reason', (code, message) => {
  expect(sourceError('/a', failed(code))).toMatchObject({ name: 'HostTrouble', message, cause: { code } })
})

test('row 35: what the system makes up as it is read is refused, though it looks like an empty file', async () => {
  await using place = await makePlace()
  const everything = createFileSources(['/'])
  await expect(everything.fingerprint('/proc/self/environ')).rejects.toEqual(
    refusal(
      '/proc/self/environ',
      process.platform === 'linux' ? 'is made up by the system' : 'does not exist',
    ),
  )
  await symlink('/proc/self/environ', join(place.root, 'link'))
  await expect(createFileSources([place.root]).fingerprint(join(place.root, 'link'))).rejects.toMatchObject({
    class: 'source-refused',
  })
})
