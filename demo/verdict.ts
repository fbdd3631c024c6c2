import type { DemoFile } from './files.ts'
import type { PartInHand } from './hands.ts'
import type { Kill } from './kill.ts'
import type { PartCounts, Upload } from './service.ts'
import type { Sent, Stored, Witness } from './witness.ts'

export interface Evidence {
  readonly files: readonly DemoFile[]
  readonly uploads: readonly Upload[]
  /** By upload. */
  readonly parts: ReadonlyMap<string, PartCounts>
  readonly witnesses: readonly Witness[]
  /** Absent when there was no worker to be killed in time. */
  readonly kill: Kill | undefined
  readonly partSize: number
}

/** What became of one file. */
export interface Arrival {
  readonly file: DemoFile
  readonly parts: PartCounts | undefined
  readonly ms: number | undefined
  readonly version: number | string | undefined
  /** Bytes that came for it, its signature and all repetitions included. */
  readonly sent: number
  /** Of these, what came more than once. */
  readonly resent: number
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

/** Compares what was made with what the fakes say has arrived. */
export function judge(evidence: Evidence): Verdict {
  const { files, witnesses, kill, partSize } = evidence
  const arrivals = files.map((file) => arrivalOf(file, evidence))
  const sentTwice = sumOf(witnesses.map(resentTo))
  const inFlight = kill?.parts.filter(({ isInFlight }) => isInFlight) ?? []
  const problems = [
    ...files.flatMap((file) => fileProblems(file, evidence)),
    ...witnesses.flatMap(({ complaints }) => complaints),
    ...killProblems(evidence),
    ...resentProblems(evidence, inFlight),
    ...(sentTwice > inFlight.length * partSize
      ? [
          `${sentTwice} bytes were sent twice, more than the ${inFlight.length} parts that the killed worker was sending`,
        ]
      : []),
  ]
  return { arrivals, sentTwice, partsInFlight: inFlight.length, problems }
}

const uploadOf = ({ name }: DemoFile, { uploads }: Evidence): Upload | undefined =>
  uploads.find(({ fileName }) => fileName === name)

function storedOf({ provider, version }: Upload, { witnesses }: Evidence): Stored | undefined {
  if (version === null) return undefined
  const witness = witnesses.find((witness) => witness.provider === provider)
  return witness?.stored.find(
    (stored) =>
      stored.place === version.remoteId &&
      (stored.version === undefined || stored.version === version.number),
  )
}

function arrivalOf(file: DemoFile, evidence: Evidence): Arrival {
  const upload = uploadOf(file, evidence)
  const stored = upload && storedOf(upload, evidence)
  return {
    file,
    parts: upload && evidence.parts.get(upload.id),
    ms: upload && tookMs(upload),
    version: upload?.version?.number,
    ...bytesTo(stored, evidence),
    sha256: stored?.sha256,
    isSame: stored?.sha256 === file.sha256,
  }
}

const tookMs = ({ startedAt, endedAt }: Upload): number | undefined =>
  startedAt === null || endedAt === null ? undefined : endedAt - startedAt

/** Also for what became no file of ours. */
const resentTo = ({ sendings, stored }: Witness): number =>
  sumOf(sendings.map(({ bytes }) => bytes)) - sumOf(stored.map(({ declared }) => declared))

function bytesTo(stored: Stored | undefined, { witnesses }: Evidence): Pick<Arrival, 'sent' | 'resent'> {
  if (stored === undefined) return { sent: 0, resent: 0 }
  const sendings = witnesses.flatMap(({ sendings }) => sendings.filter(({ place }) => place === stored.place))
  const sent = sumOf(sendings.map(({ bytes }) => bytes))
  return { sent, resent: sent - stored.declared }
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0)

function fileProblems(file: DemoFile, evidence: Evidence): string[] {
  const upload = uploadOf(file, evidence)
  if (upload === undefined) return [`${file.name}: there is no upload`]
  const { state, error, version } = upload
  if (state !== 'completed' || version === null) {
    return [`${file.name}: ${state}${error === null ? '' : `, ${error.message} (${error.class})`}`]
  }
  const stored = storedOf(upload, evidence)
  if (stored === undefined) return [`${file.name}: the fake has no version ${version.number} of it`]
  return storedProblems(file, stored).map((problem) => `${file.name}: ${problem}`)
}

const storedProblems = ({ size, sha256 }: DemoFile, stored: Stored): string[] => [
  ...(stored.open === undefined ? [] : [`${stored.open} at the fake`]),
  ...(stored.bytes === size ? [] : [`${stored.bytes} bytes arrived, not ${size}`]),
  ...(stored.sha256 === sha256 ? [] : ["the SHA-256 of what arrived is not the source's"]),
  ...(stored.version === undefined || stored.version === 1
    ? []
    : [`became version ${stored.version}, not 1`]),
]

function killProblems({ kill, uploads }: Evidence): string[] {
  if (kill === undefined) {
    return ['no worker was killed: the files were through before there was one with parts in its hands']
  }
  const isCloudreve = ({ upload, isInFlight }: PartInHand): boolean =>
    isInFlight && uploads.some(({ id, provider }) => id === upload && provider === 'cloudreve')
  return kill.parts.some(isCloudreve) ? [] : ['the killed worker was sending nothing to Cloudreve']
}

/** Only what had begun to be sent and had no receipt when the worker died may have come again. */
function resentProblems(evidence: Evidence, inFlight: readonly PartInHand[]): string[] {
  const excused = inFlight.map(({ upload, blob, number }) => {
    const place = evidence.uploads.find(({ id }) => id === upload)?.version?.remoteId ?? ''
    return nameOf({ place, blob, number })
  })
  const counts = Map.groupBy(
    evidence.witnesses.flatMap(({ sendings }) => sendings),
    nameOf,
  )
  return [...counts].flatMap(([name, sendings]) =>
    sendings.length > 1 && !excused.includes(name)
      ? [`${name} was sent ${sendings.length} times, and not because of the kill`]
      : [],
  )
}

const nameOf = ({ place, blob, number }: Omit<Sent, 'bytes'>): string =>
  `part ${number} of the ${blob} of ${place}`
