import type { Sending, Testimony } from '../test/support/programs/fake.ts'
import type { DemoFile } from './files.ts'
import type { Kill } from './kill.ts'
import type { PartCounts, Upload } from './service.ts'

export interface Evidence {
  readonly files: readonly DemoFile[]
  readonly uploads: readonly Upload[]
  /** By upload. */
  readonly parts: ReadonlyMap<string, PartCounts>
  readonly testimony: Testimony
  /** Absent when there was no worker to be killed in time. */
  readonly kill: Kill | undefined
  readonly partSize: number
}

/** What became of one file. */
export interface Arrival {
  readonly file: DemoFile
  readonly parts: PartCounts | undefined
  readonly ms: number | undefined
  readonly version: number | undefined
  /** Of the bytes that the fake has. */
  readonly sha256: string | undefined
  readonly isSame: boolean
}

export interface Verdict {
  readonly arrivals: readonly Arrival[]
  /** Bytes that went over the wire more than once. */
  readonly sentTwice: number
  /** How many parts the killed worker was sending. */
  readonly partsInFlight: number
  /** What is not as it should be, a sentence each. */
  readonly problems: readonly string[]
}

/** Compares what was made with what the fake says has arrived. */
export function judge(evidence: Evidence): Verdict {
  const { files, testimony, kill, partSize } = evidence
  const arrivals = files.map((file) => arrivalOf(file, evidence))
  const sentTwice = testimony.totals.receivedBytes - testimony.totals.declaredBytes
  const inFlight = kill === undefined ? [] : partsInFlight(evidence, kill)
  const problems = [
    ...files.flatMap((file) => fileProblems(file, evidence)),
    ...remoteProblems(files.length, testimony),
    ...(kill === undefined
      ? ['no worker was killed: the files were through before there was one with parts in its hands']
      : []),
    ...resentProblems(evidence, inFlight),
    ...(sentTwice > inFlight.length * partSize
      ? [
          `${sentTwice} bytes were sent twice, more than the ${inFlight.length} parts that the killed worker was sending`,
        ]
      : []),
  ]
  return { arrivals, sentTwice, partsInFlight: inFlight.length, problems }
}

const uploadOf = (file: DemoFile, { uploads }: Evidence): Upload | undefined =>
  uploads.find(({ fileName }) => fileName === file.name)

function blobOf({ version }: Upload, { testimony }: Evidence) {
  if (version === null) return undefined
  const { remoteId, number } = version
  return testimony.totals.blobs.find(
    (blob) => blob.fileId === remoteId && blob.version === number && blob.fileType === 'file',
  )
}

function arrivalOf(file: DemoFile, evidence: Evidence): Arrival {
  const upload = uploadOf(file, evidence)
  const sha256 = upload && blobOf(upload, evidence)?.sha256
  const { startedAt, endedAt } = upload ?? { startedAt: null, endedAt: null }
  return {
    file,
    parts: upload && evidence.parts.get(upload.id),
    ms: startedAt === null || endedAt === null ? undefined : endedAt - startedAt,
    version: upload?.version?.number,
    sha256,
    isSame: sha256 === file.sha256,
  }
}

function fileProblems(file: DemoFile, evidence: Evidence): string[] {
  const upload = uploadOf(file, evidence)
  if (upload === undefined) return [`${file.name}: there is no upload`]
  const { state, error, version } = upload
  if (state !== 'completed' || version === null) {
    return [`${file.name}: ${state}${error === null ? '' : `, ${error.message} (${error.class})`}`]
  }
  const blob = blobOf(upload, evidence)
  if (blob === undefined) return [`${file.name}: the fake has no version ${version.number} of it`]
  return [
    ...(blob.versionStatus === 'complete'
      ? []
      : [`${file.name}: its version is ${blob.versionStatus} at the fake`]),
    ...(blob.storedBytes === file.size
      ? []
      : [`${file.name}: ${blob.storedBytes} bytes arrived, not ${file.size}`]),
    ...(blob.sha256 === file.sha256 ? [] : [`${file.name}: the SHA-256 of what arrived is not the source's`]),
    ...(version.number === 1 ? [] : [`${file.name}: became version ${version.number}, not 1`]),
  ]
}

function remoteProblems(expected: number, { totals, violations }: Testimony): string[] {
  return [
    ...(totals.files === expected ? [] : [`the fake has ${totals.files} files, not ${expected}`]),
    ...(totals.completeVersions === expected
      ? []
      : [`the fake has ${totals.completeVersions} versions, not ${expected}`]),
    ...(totals.openVersions === 0
      ? []
      : [`${totals.openVersions} versions were left unfinished at the fake`]),
    ...violations.map((violation) => `against VRChat's rules: ${violation}`),
  ]
}

/** What had begun to be sent and had no receipt when the worker died. */
const partsInFlight = ({ uploads }: Evidence, { parts }: Kill): readonly string[] =>
  parts
    .filter(({ isInFlight }) => isInFlight)
    .map(({ upload, blob, number }) => {
      const fileId = uploads.find(({ id }) => id === upload)?.version?.remoteId
      return nameOf({ fileId, fileType: blob, partNumber: number })
    })

function resentProblems({ testimony }: Evidence, inFlight: readonly string[]): string[] {
  const counts = Map.groupBy(testimony.sendings, nameOf)
  return [...counts].flatMap(([name, sendings]) =>
    sendings.length > 1 && !inFlight.includes(name)
      ? [`${name} was sent ${sendings.length} times, and not because of the kill`]
      : [],
  )
}

const nameOf = ({
  fileId,
  fileType,
  partNumber,
}: Pick<Sending, 'fileId' | 'fileType' | 'partNumber'>): string =>
  `part ${partNumber} of the ${fileType} of ${fileId}`
