import { createHash } from 'node:crypto'
import { hearCloudreve } from '../test/support/programs/fake-cloudreve.ts'
import type { CloudreveTestimony } from '../test/support/programs/fake-cloudreve.ts'
import { hear } from '../test/support/programs/fake.ts'
import type { Testimony } from '../test/support/programs/fake.ts'
import type { DemoFile } from './files.ts'
import { places } from './places.ts'
import type { Place } from './places.ts'
import type { Stage } from './stage.ts'

/** One finished file at a fake. */
export interface Stored {
  /** As the service calls it, too: `version.remoteId`. */
  readonly place: string
  /** Where versions are counted. */
  readonly version?: number
  readonly bytes: number
  /** Of what had to be sent for it, its signature included. */
  readonly declared: number
  /** Of the bytes that the fake has. */
  readonly sha256: string | undefined
  /** Says what keeps it from being finished. */
  readonly open?: string
}

/** One request that brought bytes of a part. */
export interface Sent {
  readonly place: string
  readonly blob: string
  /** From 1. */
  readonly number: number
  readonly bytes: number
}

/** What one fake says of what happened, told in the same words by all. */
export interface Witness {
  readonly provider: Place['provider']
  readonly stored: readonly Stored[]
  readonly sendings: readonly Sent[]
  /** What is there that should not be, and what was done against the rules; a sentence each. */
  readonly complaints: readonly string[]
}

/** Asks both fakes, which are to have these files and nothing else. */
export async function hearWitnesses(
  { fake, signal }: Pick<Stage, 'fake' | 'signal'>,
  files: readonly DemoFile[],
): Promise<readonly Witness[]> {
  const expected = (name: Place['provider']): number => files.filter(({ to }) => to.provider === name).length
  const ofCloudreve = places.filter(({ provider }) => provider === 'cloudreve')
  const operations = ofCloudreve.map(({ operation }) => operation)
  const [vrchat, site] = await Promise.all([
    hear({ fake, signal }),
    hearCloudreve({ fake: fake.cloudreve, signal }, operations),
  ])
  return [vrchatWitness(vrchat, expected('vrchat')), siteWitness(site, expected('cloudreve'))]
}

function vrchatWitness({ totals, sendings, violations }: Testimony, expected: number): Witness {
  const { blobs, files, completeVersions, openVersions } = totals
  const declared = (fileId: string): number =>
    blobs.filter((blob) => blob.fileId === fileId).reduce((sum, { declaredSize }) => sum + declaredSize, 0)
  return {
    provider: 'vrchat',
    stored: blobs
      .filter(({ fileType }) => fileType === 'file')
      .map(({ fileId, version, storedBytes, sha256, versionStatus }) => ({
        place: fileId,
        version,
        bytes: storedBytes,
        declared: declared(fileId),
        sha256,
        ...(versionStatus !== 'complete' && { open: `its version is ${versionStatus}` }),
      })),
    sendings: sendings.map(({ fileId = '', fileType = '', partNumber, bytes }) => ({
      place: fileId,
      blob: fileType,
      number: partNumber,
      bytes,
    })),
    complaints: [
      ...unless(files === expected, `the fake VRChat has ${files} files, not ${expected}`),
      ...unless(
        completeVersions === expected,
        `the fake VRChat has ${completeVersions} versions, not ${expected}`,
      ),
      ...unless(openVersions === 0, `${openVersions} versions were left unfinished at the fake VRChat`),
      ...violations.map((violation) => `against VRChat's rules: ${violation}`),
    ],
  }
}

/** Has also to be free of placeholders, and its stores of halves. */
export function siteWitness(testimony: CloudreveTestimony, expected: number): Witness {
  const { sendings, placeholders, sessions, unfinished, violations } = testimony
  const files = testimony.files.filter(({ type }) => type === 'file')
  const halves = Object.entries(unfinished).filter(([, count]) => count > 0)
  return {
    provider: 'cloudreve',
    stored: files.map((file) => storedAt(file)),
    sendings: sendings.map(({ uri, chunkIndex, bytes }) => ({
      place: uri,
      blob: 'file',
      number: chunkIndex + 1,
      bytes,
    })),
    complaints: [
      ...unless(files.length === expected, `the fake Cloudreve has ${files.length} files, not ${expected}`),
      ...placeholders.map(({ uri }) => `a placeholder was left at ${uri}`),
      ...sessions.map(({ uri }) => `an upload session was left open at ${uri}`),
      ...halves.map(([kind, count]) => `${count} unfinished uploads were left at the store ${kind}`),
      ...violations.map((violation) => `against Cloudreve's protocol: ${violation}`),
    ],
  }
}

const OF_NOTHING = createHash('sha256').digest('hex')

function storedAt({ uri, size, sha256, entities }: CloudreveTestimony['files'][number]): Stored {
  const current = entities.find(({ isCurrent }) => isCurrent)
  // An empty file has no content at the site, not even an empty one.
  const isEmpty = size === 0 && entities.length === 0
  return {
    place: uri,
    bytes: current?.storedSize ?? 0,
    declared: size,
    sha256: isEmpty ? OF_NOTHING : sha256,
    ...(!isEmpty && current === undefined && { open: 'it has no content' }),
  }
}

const unless = (holds: boolean, complaint: string): string[] => (holds ? [] : [complaint])
