import { expect, test } from 'vitest'
import { openDrive } from '../../support/cloudreve-service.ts'

const arrives = [
  'with spaces  in it.zip',
  'a#b+c&d=e;f.zip',
  '100%41 sure %.zip',
  "quotes ' and (brackets) ! ~.zip",
  '\u{1F680} launch \u{1F469}\u200D\u{1F680}.zip',
  'caf\u00e9.zip',
  'cafe\u0301.zip',
  '.hidden',
  'dots...zip.',
  `${'ü'.repeat(125)}.zip`,
  'x'.repeat(255),
]

test('row 34: a file arrives under exactly the name that it has here', async () => {
  await using drive = await openDrive()
  const ids = []
  for (const name of arrives)
    ids.push(await drive.upload({ name, content: 17, to: 'cloudreve://my/to here/' }))
  for (const id of ids) {
    const record = await drive.until(id)
    expect(record).toMatchObject({ state: 'completed' })
    await drive.assertArrived(record)
    expect(decodeURIComponent(record.version?.remoteId ?? '')).toBe(
      `cloudreve://my/to here/${record.fileName}`,
    )
  }
  expect((await drive.fake.files()).filter(({ type }) => type === 'file')).toHaveLength(arrives.length)
  expect(drive.fake.violations).toEqual([])
})

test.for(['what?.zip', 'a:b.zip', 'a*b', 'a"b', 'a<b>', 'a|b', 'back\\slash', 'line\nbreak', 'bell\u0007'])(
  'row 34: a name that Cloudreve does not allow is refused before anything is sent: %j',
  async (name) => {
    await using drive = await openDrive({ workers: 0 })
    await expect(drive.upload({ name, content: 17 })).rejects.toThrow('destination.uri ends in /')
    expect(drive.fake.ledger).toEqual([])
  },
)

test('row 34: it may be given another name there', async () => {
  await using drive = await openDrive()
  const record = await drive.until(
    await drive.upload({ name: 'what?.zip', content: 17, to: 'cloudreve://my/what.zip' }),
  )
  expect(record).toMatchObject({ state: 'completed', version: { remoteId: 'cloudreve://my/what.zip' } })
  await drive.assertArrived(record)
})
