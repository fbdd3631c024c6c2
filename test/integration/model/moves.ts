import type { createChanges, Patch } from '#shared/records/changes.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Change } from './change-rules.ts'

type Also = Parameters<ReturnType<typeof createChanges>['transition']>[2]

/** What an orchestrator may do to an upload: to the record, and what that means. */
export interface Move {
  readonly patch: (record: UploadRecord) => Patch
  readonly also?: (record: UploadRecord) => Also
  readonly change: Change
}

const why = { class: 'refused', message: 'no', at: 1 }
const session = { blobs: [], state: {} }
const gone = ['session', 'draft', 'failure'] as const
const ledgerOf = (record: UploadRecord): Also => ({
  remove: ['failure'],
  ledger: {
    remoteId: `${record.id} ${record.rev}`,
    number: 1,
    size: 1,
    md5: '',
    completedAt: 1,
    upload: record.id,
    fingerprint: { size: 1, mtimeNs: '1', inode: '1' },
  },
})

export const moves = {
  note: { patch: () => ({ note: 'read' }), change: {} },
  open: {
    patch: () => ({ session, state: 'transferring', blob: 0 }),
    also: () => ({ remove: ['draft'] }),
    change: { state: 'transferring', session: true },
  },
  transfer: { patch: () => ({ state: 'transferring' }), change: { state: 'transferring' } },
  finish: { patch: () => ({ state: 'finishing' }), change: { state: 'finishing' } },
  confirm: { patch: () => ({ state: 'confirming', confirmSince: 1 }), change: { state: 'confirming' } },
  startOver: {
    patch: ({ epoch }) => ({ epoch: epoch + 1, state: 'preparing', blob: 0 }),
    also: () => ({ remove: ['session', 'draft'] }),
    change: { state: 'preparing', newEpoch: true, session: false },
  },
  complete: {
    patch: () => ({ state: 'completed' }),
    also: ledgerOf,
    change: { state: 'completed', isInLedger: true },
  },
  skip: { patch: () => ({ state: 'skipped' }), change: { state: 'skipped' } },
  cancel: {
    patch: () => ({ state: 'cancelled' }),
    also: () => ({ remove: gone }),
    change: { state: 'cancelled', session: false },
  },
  fail: {
    patch: () => ({ state: 'failed', error: why }),
    also: () => ({ remove: gone }),
    change: { state: 'failed', session: false },
  },
  failWrong: {
    patch: () => ({ state: 'failed', error: { ...why, class: 'verify-failed' } }),
    also: () => ({ remove: gone }),
    change: { state: 'failed', session: false, isWrong: true },
  },
  failUnconfirmed: {
    patch: () => ({ state: 'failed', error: { ...why, class: 'unconfirmed' } }),
    also: () => ({ remove: ['draft', 'failure'] }),
    change: { state: 'failed' },
  },
} satisfies Record<string, Move>

type MoveName = keyof typeof moves

/** Which moves a worker has, as far as it knows. The useful ones come more than once. */
export function movesOf({ state, desired, session: opened }: UploadRecord): readonly MoveName[] {
  if (state === 'queued') return []
  if (desired === 'cancel') return ['cancel', 'cancel', 'complete']
  if (state === 'preparing' && opened !== undefined) return ['complete', 'startOver', 'startOver']
  if (state === 'preparing')
    return ['note', 'open', 'open', 'open', 'open', 'open', 'open', 'skip', 'fail', 'startOver']
  if (state === 'transferring') return ['finish', 'finish', 'finish', 'finish', 'startOver', 'fail']
  if (state === 'finishing')
    return ['transfer', 'confirm', 'confirm', 'confirm', 'confirm', 'startOver', 'fail']
  if (state === 'confirming')
    return [
      'complete',
      'complete',
      'failUnconfirmed',
      'failUnconfirmed',
      'failUnconfirmed',
      'failWrong',
      'startOver',
      'fail',
    ]
  return ['note', 'open']
}
