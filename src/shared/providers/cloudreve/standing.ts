import { info, infoWithEntities } from './site/api.ts'
import type { Work } from './deps.ts'
import type { SessionState } from './session.ts'
import { isFolder, uploadMarker, type FileInfo } from './site/shapes.ts'

/** What became of a session, as the file tells it. */
export type Standing =
  | { readonly kind: 'open'; readonly why: string }
  | { readonly kind: 'complete'; readonly why: string; readonly file: FileInfo }
  | { readonly kind: 'lost'; readonly why: string }

/**
 * Whether the site still waits for this session, has the file whole, or knows nothing of it any more. The only
 * judge of an uncertain outcome: an answer of 0 is no proof, and an error for a session that is over no failure.
 */
export const standingOf = async ({ api }: Pick<Work, 'api'>, state: SessionState): Promise<Standing> => {
  const standing = judged(state, await info(api, state.uri))
  return standing.kind === 'lost' ? ((await replaced(api, state)) ?? standing) : standing
}

const judged = (state: SessionState, file: FileInfo | undefined): Standing => {
  if (file === undefined) return lost(state, 'is gone')
  const marker = uploadMarker(file)
  if (marker === state.sessionId) return open('the site still shows the upload as unfinished')
  if (isFolder(file)) return lost(state, 'is a folder')
  // Who begins the next version of ours takes nothing from it.
  const isOurs = state.size > 0 && file.size === state.size && isNew(state, file)
  if (marker !== undefined && !isOurs) return lost(state, 'has another unfinished upload on it')
  if (file.size !== state.size) {
    return lost(state, `has ${String(file.size)} bytes instead of ${String(state.size)}`)
  }
  if (!isNew(state, file)) return lost(state, 'still has its old content')
  return { kind: 'complete', why: 'the site shows it whole', file }
}

/** The site says its time in whole seconds, and an entity is made with its session. */
const MADE_WITHIN_MS = 60_000

/** Ours became whole, and somebody put the next version on top of it before we looked: it is among the older ones. */
const replaced = async (api: Work['api'], state: SessionState): Promise<Standing | undefined> => {
  if (state.transport === 'empty') return undefined
  const file = await infoWithEntities(api, state.uri)
  const ours = file?.extended_info?.entities.find(
    ({ id, type, size, created_at: made }) =>
      type === 0 &&
      size === state.size &&
      id !== state.previous &&
      id !== file.primary_entity &&
      Math.abs(Date.parse(made) - state.since) < MADE_WITHIN_MS,
  )
  // One that is unfinished may be among them as well, as long as there is a marker.
  if (file === undefined || ours === undefined || uploadMarker(file) !== undefined) return undefined
  const why = 'the site has it whole, and a newer version on top of it'
  return { kind: 'complete', why, file: { ...file, primary_entity: ours.id, size: ours.size } }
}

/** An empty file on an empty one is what was asked for, whoever made it. */
const isNew = ({ previous, transport }: SessionState, file: FileInfo): boolean =>
  transport === 'empty' || previous === undefined || file.primary_entity !== previous

const open = (why: string): Standing => ({ kind: 'open', why })
const lost = ({ uri }: SessionState, what: string): Standing => ({ kind: 'lost', why: `${uri} ${what}` })
