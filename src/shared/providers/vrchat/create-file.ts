import { Missing } from '#shared/errors.ts'
import type { UploadView } from '../provider.ts'
import { plainText, Refusal } from './answers.ts'
import { createFile, getFile, getFiles, type ApiCall, type CreateFileRequest } from './api.ts'
import { lookFor, type Work } from './deps.ts'
import { realVersions, type VrchatFile } from './files.ts'
import { certainlyNotMade, type Opening } from './opening.ts'
import { fileTraits, type UploadRequest } from './request.ts'
import type { Draft } from './session.ts'

type CreatingFile = NonNullable<Draft['creatingFile']>

interface Found {
  readonly file: VrchatFile
  readonly draft: Draft
}

// Both clocks are compared by the answer's Date, which has whole seconds; without one they may differ more.
const SKEW_MS = 5_000
const SKEW_UNKNOWN_MS = 60_000
const PAGE = 100
const MOST_PAGES = 500

/** The File to upload to: given, bound to the name, or made now. */
export const openFile = async (opening: Opening, draft: Draft): Promise<Found> => {
  const { request, upload } = opening
  const known = draft.fileId ?? knownFileId(request, upload)
  if (known === undefined) return makeFile(opening, draft)
  const file = await readFile(opening, known, { lags: draft.created })
  if (file !== undefined) return { file, draft: { ...draft, fileId: known } }
  if (request.destination.fileId !== undefined) throw noSuchFile(known)
  // The File behind the name was deleted at VRChat: the name gets a new one.
  return makeFile(opening, { ...draft, fileId: undefined, created: false })
}

/** Where an upload goes, as far as that exists before it: given by id, or bound to the name. */
export const knownFileId = (request: UploadRequest, upload: UploadView): string | undefined =>
  request.destination.fileId ?? (request.newFile ? undefined : upload.boundTo)

export const noSuchFile = (fileId: string): Missing => new Missing(`VRChat has no File ${fileId}`)

/** The File, or undefined when there is none. A File made just now may not show up at once: `lags`. */
export const readFile = (
  work: Work,
  fileId: string,
  { lags = false }: { readonly lags?: boolean } = {},
): Promise<VrchatFile | undefined> => {
  const look = (): Promise<VrchatFile | undefined> => getFile(work.api, fileId).catch(undefinedIf404)
  return lags ? lookFor(work, look) : look()
}

export const undefinedIf404 = (error: unknown): undefined => {
  if (error instanceof Refusal && error.status === 404) return undefined
  throw error
}

const makeFile = async (opening: Opening, draft: Draft): Promise<Found> => {
  const { creatingFile: lost } = draft
  const settled = lost === undefined ? undefined : await findLostFile(opening, lost)
  if (settled !== undefined) return bind(opening, draft, settled)

  const traits = fileTraits(opening.request, opening.upload.fileName)
  const { name, extension, mimeType, tags = [] } = traits
  const before = {
    ...draft,
    creatingFile: undefined,
    ...(lost && { possibleOrphan: { name: lost.name, since: lost.since } }),
  }
  const creating = { name, extension, mimeType, tags: [...tags], since: opening.now() }
  await opening.save({ ...before, creatingFile: creating })
  const file = await createOrFind(opening, { traits, before, creating })
  return bind(opening, before, file)
}

const createOrFind = async (
  opening: Opening,
  {
    traits,
    before,
    creating,
  }: { readonly traits: CreateFileRequest; readonly before: Draft; readonly creating: CreatingFile },
): Promise<VrchatFile> => {
  try {
    return await createFile(opening.api, traits)
  } catch (error) {
    // Aborted while under way: what is thrown then says nothing about the request.
    opening.signal.throwIfAborted()
    if (certainlyNotMade(error)) {
      await opening.save(before)
      throw error
    }
    const made = await findLostFile(opening, creating)
    if (made === undefined) throw error
    return made
  }
}

const bind = async (opening: Opening, draft: Draft, file: VrchatFile): Promise<Found> => {
  const bound = { ...draft, creatingFile: undefined, fileId: file.id, created: true }
  await opening.save(bound, { key: `vrchat/${file.id}`, remoteId: file.id })
  return { file, draft: bound }
}

/**
 * The File of a creation whose answer was lost: the only one with its name, extension and type that has no
 * version yet and is younger than the request. Undefined if there is none, or more than one.
 */
export const findLostFile = (work: Work, lost: CreatingFile): Promise<VrchatFile | undefined> =>
  lookFor(work, async () => {
    const found: VrchatFile[] = []
    for await (const file of allFiles(work.api, lost.tags)) if (mayBe(work, file, lost)) found.push(file)
    return found.length === 1 ? found[0] : undefined
  })

const mayBe = (work: Work, file: VrchatFile, lost: CreatingFile): boolean => {
  const ahead = work.serverAhead()
  const earliest = lost.since + (ahead ?? 0) - (ahead === undefined ? SKEW_UNKNOWN_MS : SKEW_MS)
  const made = Date.parse(file.versions.find(({ version }) => version === 0)?.created_at ?? '')
  return (
    plainText(file.name) === plainText(lost.name) &&
    plainText(file.extension) === plainText(lost.extension) &&
    file.mimeType === lost.mimeType &&
    realVersions(file).length === 0 &&
    made >= earliest
  )
}

/**
 * Every File of the account, each once; those with tags are only listed by one of them. Pages are read to an
 * empty one, since what is in a page may be filtered.
 */
async function* allFiles(api: ApiCall, tags: readonly string[]): AsyncGenerator<VrchatFile> {
  const seen = new Set<string>()
  for (const tag of [undefined, ...tags]) {
    for await (const file of filesWith(api, tag)) {
      if (!seen.has(file.id)) yield file
      seen.add(file.id)
    }
  }
}

async function* filesWith(api: ApiCall, tag: string | undefined): AsyncGenerator<VrchatFile> {
  for (let page = 0; page < MOST_PAGES; page++) {
    const files = await getFiles(api, { tag, n: PAGE, offset: page * PAGE })
    if (files.length === 0) return
    yield* files
  }
}
