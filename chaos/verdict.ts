import type { Evidence } from './evidence.ts'
import type { Finding } from './finding.ts'
import { limitsOf } from './limits.ts'
import type { Accepted } from './submit.ts'
import type { Upload } from './service.ts'
import { wasteFindings, wasteOf } from './waste.ts'
import type { Waste } from './waste.ts'

export interface Verdict {
  readonly lost: readonly Finding[]
  readonly duplicated: readonly Finding[]
  readonly corrupt: readonly Finding[]
  readonly orphans: readonly Finding[]
  /** Order, counters, secrets, limits, and more sent in vain than kills explain. */
  readonly other: readonly Finding[]
  readonly waste: Waste
}

/** An accepted upload, what the service says of it, and the bytes that the fake has of it. */
interface Case {
  readonly accepted: Accepted
  readonly upload: Upload | undefined
  readonly blob: Evidence['testimony']['totals']['blobs'][number] | undefined
}

/** Compares what was accepted with what the service and the fake say has become of it. */
export function judge(evidence: Evidence): Verdict {
  const cases = evidence.accepted.map((accepted) => caseOf(accepted, evidence))
  const waste = wasteOf(evidence)
  return {
    lost: cases.flatMap(lostOf),
    duplicated: [...askedTwice(evidence), ...unowned(cases, evidence)],
    corrupt: cases.flatMap(corruptOf),
    orphans: orphansOf(evidence),
    other: [
      ...orderOf(cases),
      ...countersOf(evidence),
      ...limitsOf(evidence),
      ...evidence.leaks.map((what) => ({ what })),
      ...wasteFindings(waste),
    ],
    waste,
  }
}

/** Whether nothing was found at all. */
export const isPerfect = ({ lost, duplicated, corrupt, orphans, other }: Verdict): boolean =>
  [lost, duplicated, corrupt, orphans, other].every((findings) => findings.length === 0)

function caseOf(accepted: Accepted, { uploads, testimony }: Evidence): Case {
  const upload = uploads.find(({ id }) => id === accepted.id)
  const version = upload?.version
  const blob = testimony.totals.blobs.find(
    ({ fileId, version: number, fileType }) =>
      fileId === version?.remoteId && number === version.number && fileType === 'file',
  )
  return { accepted, upload, blob }
}

/** Accepted, and not arrived. No fault that is thrown here is a reason to end one. */
function lostOf({ accepted: { id }, upload, blob }: Case): Finding[] {
  if (upload === undefined) return [{ id, what: 'the service does not know it any more' }]
  const { state, error, waitingFor, version } = upload
  if (state !== 'completed') {
    const why = error === null ? (waitingFor ?? 'no reason given') : `${error.class}: ${error.message}`
    return [{ id, what: `${state}: ${why}` }]
  }
  if (version === null) return [{ id, what: 'completed without a version' }]
  if (blob?.versionStatus === 'complete') return []
  return [{ id, what: `the fake has no complete version ${version.number} of ${version.remoteId}` }]
}

/** I2. */
function corruptOf({ accepted: { id, planned, sha256 }, upload, blob }: Case): Finding[] {
  if (upload?.state !== 'completed' || blob === undefined) return []
  if (blob.storedBytes !== planned.size) {
    return [{ id, what: `${blob.storedBytes} bytes arrived, not ${planned.size}` }]
  }
  return blob.sha256 === sha256 ? [] : [{ id, what: 'the SHA-256 of what arrived is not that of its source' }]
}

/** I3, first half: the same key is the same upload, and there are no uploads that nobody asked for. */
function askedTwice({ accepted, uploads }: Evidence): Finding[] {
  const ids = accepted.map(({ id }) => id)
  return [
    ...accepted.flatMap(({ id, secondId }) =>
      secondId === undefined || secondId === id
        ? []
        : [{ id, what: `asked for again with the same key, it became ${secondId}` }],
    ),
    ...uploads
      .filter(({ id }) => !ids.includes(id))
      .map(({ id }) => ({ id, what: 'nobody was told that it was accepted' })),
    ...ids
      .filter((id, index) => ids.indexOf(id) !== index)
      .map((id) => ({ id, what: 'two requests became one upload' })),
  ]
}

/** I3, second half: every version that can be seen belongs to one completed upload, and to no other. */
function unowned(cases: readonly Case[], { remote }: Evidence): Finding[] {
  return remote.files.flatMap(({ id: fileId, versions }) =>
    versions
      .filter(({ version, status, deleted }) => version > 0 && status === 'complete' && !deleted)
      .flatMap(({ version }) => {
        const owners = cases.filter(
          ({ upload }) => upload?.version?.remoteId === fileId && upload.version.number === version,
        )
        if (owners.length === 1) return []
        const ids = owners.map(({ accepted }) => accepted.id).join(', ')
        return [{ what: `version ${version} of ${fileId} belongs to ${ids === '' ? 'no upload' : ids}` }]
      }),
  )
}

/** I5, and what is left of it on our side. */
function orphansOf({ remote, left }: Evidence): Finding[] {
  const empty = remote.files.filter(
    ({ versions }) =>
      !versions.some(({ version, status, deleted }) => version > 0 && status === 'complete' && !deleted),
  )
  return [
    ...remote.openVersions.map(({ fileId, version, status }) => ({
      what: `version ${version} of ${fileId} was left ${status} at the fake`,
    })),
    ...empty.map(({ id, name, owner }) => ({
      what: `${id}, "${name}" of ${owner}, has no version at the fake`,
    })),
    ...left.map((key) => ({ what: `the key ${key} is left in Redis` })),
  ]
}

/** At a shared destination the versions have the order in which they were accepted. */
function orderOf(cases: readonly Case[]): Finding[] {
  const lines = Map.groupBy(cases, ({ accepted: { planned } }) => `${planned.account}/${planned.destination}`)
  return [...lines].flatMap(([name, line]) => {
    const arrived = line.flatMap(({ accepted: { id }, upload }) =>
      upload?.version === null || upload === undefined ? [] : [{ id, ...upload.version }],
    )
    return arrived.slice(1).flatMap(({ id, remoteId, number }, index) => {
      const before = arrived[index]
      if (before === undefined || (before.remoteId === remoteId && before.number < number)) return []
      const what = `version ${number} of ${remoteId} at ${name}`
      return [
        {
          id,
          what: `${what}, though ${before.id}, accepted before it, is ${before.number} of ${before.remoteId}`,
        },
      ]
    })
  })
}

/** I6. */
function countersOf({ accepted, uploads, counts, accounts }: Evidence): Finding[] {
  const states = Map.groupBy(uploads, ({ state }) => state)
  return [
    ...differs('uploads listed', uploads.length, accepted.length),
    ...Object.entries(counts).flatMap(([state, count]) =>
      differs(`uploads listed as ${state}`, count, states.get(state)?.length ?? 0),
    ),
    ...accounts.flatMap(({ id, activeUploads }) => differs(`active uploads of ${id}`, activeUploads, 0)),
  ]
}

const differs = (what: string, found: number, wanted: number): Finding[] =>
  found === wanted ? [] : [{ what: `${what}: ${found}, not ${wanted}` }]
