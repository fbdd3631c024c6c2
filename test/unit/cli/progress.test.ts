import { describe, expect, test } from 'vitest'
import { upload, type Upload } from '#producer/cli/api/answers.ts'
import { barLine, createBars, totalLine } from '#producer/cli/upload/bars.ts'
import { totalText } from '#producer/cli/upload/plain.ts'
import { createProgress, createSpeed } from '#producer/cli/upload/progress.ts'
import { widthOf } from '#producer/cli/terminal/text.ts'
import { openScreen } from './terminal.ts'

const MIB = 2 ** 20
const anUpload = (id: string, fields: Partial<Upload>): Upload =>
  upload.parse({ id, state: 'transferring', ...fields })

function setup() {
  const clock = { ms: 0 }
  const progress = createProgress(
    new Map([
      ['a', 'a.vrcw'],
      ['b', 'b.vrcw'],
    ]),
    () => clock.ms,
  )
  return { clock, progress }
}

describe('progress', () => {
  test('has bytes, speed and time left', () => {
    const { clock, progress } = setup()

    progress.see(anUpload('a', { size: 100 * MIB, bytesSent: 0 }))
    clock.ms = 10_000
    progress.see(anUpload('a', { size: 100 * MIB, bytesSent: 20 * MIB }))

    expect(progress.one('a')).toMatchObject({
      name: 'a.vrcw',
      sent: 20 * MIB,
      fraction: 0.2,
      bytesPerSecond: 2 * MIB,
      etaMs: 40_000,
    })
  })

  test('says when the state is another one', () => {
    const { progress } = setup()

    const changes = (['queued', 'queued', 'preparing'] as const).map((state) =>
      progress.see(anUpload('a', { state })),
    )

    expect(changes).toEqual([true, false, true])
  })

  test('is complete only when the upload is, whatever else was sent', () => {
    const { progress } = setup()

    progress.see(anUpload('a', { size: 1000, bytesSent: 1048, state: 'confirming' }))
    expect(progress.one('a')).toMatchObject({ sent: 1000, fraction: 0.99 })

    progress.see(anUpload('a', { size: 1000, bytesSent: 1048, state: 'completed' }))
    expect(progress.one('a')).toMatchObject({ sent: 1000, fraction: 1 })
  })

  test('of all leaves out what failed, and counts what was there already', () => {
    const { progress } = setup()

    progress.see(anUpload('a', { size: 1000, bytesSent: 0, state: 'skipped' }))
    progress.see(anUpload('b', { size: 9000, bytesSent: 4000, state: 'failed' }))
    progress.see(anUpload('c', { size: 1000, bytesSent: 500 }))
    progress.see(anUpload('d', { size: 0, state: 'queued' }))

    expect(progress.total()).toMatchObject({
      uploads: 4,
      ended: 2,
      failed: 1,
      running: 1,
      queued: 1,
      size: 2000,
      sent: 1500,
      fraction: 0.75,
    })
    expect(progress.running().map(({ id }) => id)).toEqual(['c'])
    expect(totalText(progress.total())).toMatch(
      /^2 of 4 done, 1 failed, 1 running, 1 queued, 75%, 1.5 KiB of 2.0 KiB/,
    )
  })
})

test('speed forgets what is long ago, and falls while nothing comes', () => {
  const clock = { ms: 0 }
  const speed = createSpeed(() => clock.ms, 10_000)

  for (; clock.ms <= 60_000; clock.ms += 1_000) speed.at(clock.ms < 30_000 ? 0 : (clock.ms - 30_000) * 5)
  clock.ms = 60_000
  expect(speed.now()).toBeCloseTo(5_000, -2)

  clock.ms = 80_000
  expect(speed.now()).toBeLessThan(2_000)
  speed.at(150_000)
  clock.ms = 100_000
  speed.at(150_000)
  expect(speed.now()).toBe(0)
})

describe('bars', () => {
  const one = {
    id: 'a',
    name: 'wörld-世界.vrcw',
    state: 'transferring',
    size: 100 * MIB,
    sent: 45 * MIB,
    fraction: 0.45,
    bytesPerSecond: 3.1 * MIB,
    etaMs: 18_000,
  }
  const total = { ...one, uploads: 12, ended: 3, failed: 1, running: 4, queued: 5 }

  test.each([20, 30, 40, 60, 80, 100, 120, 200])('fit into %d columns', (columns) => {
    expect(widthOf(barLine(one, columns))).toBeLessThanOrEqual(columns)
    expect(widthOf(totalLine(total, columns))).toBeLessThanOrEqual(columns)
    expect(barLine(one, columns)).toContain('45%')
  })

  test('show name, share, bytes, speed and time left', () => {
    expect(barLine(one, 100)).toMatch(
      /^wörld-世界.vrcw +█+░+ {3}45% +45.0 MiB \/ 100 MiB +3.1 MiB\/s {2}ETA 0:18$/,
    )
    expect(totalLine(total, 100)).toMatch(/^3 of 12 done, 1 failed +█+░+/)
  })

  test('say what an upload waits for, and what it does when it sends nothing', () => {
    expect(barLine({ ...one, waitingFor: 'api.vrchat.cloud' }, 100)).toContain('waits: api.vrchat.cloud')
    expect(barLine({ ...one, state: 'confirming' }, 100)).toMatch(/confirming$/)
  })

  test('are redrawn in place, and leave what has ended above them', () => {
    const screen = openScreen(60)
    const { progress } = setup()
    {
      using bars = createBars({ output: screen.output, env: { NO_COLOR: '1' }, progress })
      bars.see(anUpload('a', { size: 1000, bytesSent: 10 }))
      bars.say('The service\u001b[2J is away')
      bars.see(
        anUpload('a', {
          size: 1000,
          state: 'failed',
          error: { class: 'refused', message: 'no', at: undefined },
        }),
      )
    }

    expect(screen.text()).toContain('The service\ufffd[2J is away\u001b[K\n')
    expect(screen.text()).toContain('a.vrcw  failed: no (refused)\u001b[K\n')
    expect(screen.text().startsWith('\u001b[?25l')).toBe(true)
    expect(screen.text().endsWith('\u001b[?25h')).toBe(true)
    expect(screen.text()).not.toContain('\u001b[31m')
  })

  test('never take more rows than there are', () => {
    const screen = openScreen(60)
    const { progress } = setup()
    {
      using bars = createBars({ output: screen.output, env: {}, progress })
      for (let index = 0; index < 100; index++) bars.see(anUpload(`upl_${index}`, { size: 1000 }))
    }

    expect(screen.text().split('\n').length).toBeLessThan(24)
    expect(screen.text()).toContain('… and 80 more')
  })
})
