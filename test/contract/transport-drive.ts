import { setTimeout } from 'node:timers/promises'
import { expect } from 'vitest'
import { AccountParked, Blamed, InOrder, StartOver, Unreachable } from '#shared/errors.ts'
import { partCount } from '#shared/providers/cut.ts'
import type { Blob, Receipt, Session, Version } from '#shared/providers/provider.ts'
import { SiteTrouble } from '#shared/providers/cloudreve/site/codes.ts'
import { completeVersion, failureOf, never, partOf, randomBytes, shownBy, type Driven } from './support.ts'
import { CHUNK_SIZE, type TransportOpening, type TransportStage } from './transport-stage.ts'

/** One opened upload session, its parts sent one by one. */
export interface Sent {
  readonly upload: Driven
  readonly session: Session
  readonly blob: Blob
  readonly numbers: readonly number[]
  readonly send: (number: number, signal?: AbortSignal) => Promise<Receipt>
  /** All parts, each until it is taken. */
  readonly sendAll: () => Promise<Receipt[]>
  readonly finish: (receipts: readonly Receipt[]) => Promise<void>
  readonly confirm: () => Promise<Version>
  /** Both until it is done, and the version that the site then shows. */
  readonly complete: (receipts: readonly Receipt[]) => Promise<Version>
  /** What the first try of everything leads to, confirmation too: `lost` when another session has to be opened. */
  readonly ending: () => Promise<unknown>
  /** Repeats what uses an attempt or waits, as the queue does. */
  readonly persist: <T>(work: () => Promise<T>) => Promise<T>
  /** The error, which shows no secret of anybody. */
  readonly failure: (work: Promise<unknown>) => Promise<unknown>
}

const MOST_TRIES = 6
/** Grows with each; what a store does behind its answer goes on meanwhile. */
const PAUSE_MS = 20

/** Opens an upload of these bytes, and drives it as the queue would. */
export async function open(stage: TransportStage, bytes: Buffer): Promise<Sent> {
  const upload = stage.start(bytes)
  const session = await upload.prepare()
  const [blob] = session.blobs
  if (blob === undefined) throw new Error('no blob')
  const numbers = Array.from({ length: partCount(blob) }, (_, index) => index + 1)
  const { tickets, source } = upload

  const send: Sent['send'] = (number, signal = never) =>
    stage.provider.sendPart(
      stage.account,
      session,
      { blob, tickets, ...partOf(source, blob, number) },
      signal,
    )
  const finish: Sent['finish'] = (receipts) => upload.finish(session, blob, receipts)
  const failure: Sent['failure'] = async (work) => {
    const error = await failureOf(work)
    assertSecret(stage, error)
    return error
  }
  const persist: Sent['persist'] = async (work) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work()
      } catch (error) {
        assertSecret(stage, error)
        if (tries === MOST_TRIES || !comesBack(error)) throw error
        stage.unpark()
        await setTimeout(PAUSE_MS * tries)
      }
    }
  }
  const confirm = (): Promise<Version> => completeVersion(() => upload.confirm(session))

  return {
    upload,
    session,
    blob,
    numbers,
    send,
    finish,
    confirm,
    persist,
    failure,
    ending: async () => {
      try {
        const receipts: Receipt[] = []
        for (const number of numbers) receipts.push(await send(number))
        await finish(receipts)
        const found = await upload.confirm(session)
        return found.kind === 'broken' || (found.kind === 'pending' && found.startOver) ? 'lost' : found
      } catch (error) {
        assertSecret(stage, error)
        return error instanceof StartOver && error.class === 'session-lost' ? 'lost' : error
      }
    },
    sendAll: async () => {
      const receipts: Receipt[] = []
      for (const number of numbers) receipts.push(await persist(() => send(number)))
      return receipts
    },
    complete: async (receipts) => {
      await persist(() => finish(receipts))
      return confirm()
    },
  }
}

const comesBack = (error: unknown): boolean =>
  [AccountParked, Blamed, InOrder, SiteTrouble, Unreachable].some((kind) => error instanceof kind)

function assertSecret(stage: TransportStage, error: unknown): void {
  const shown = shownBy(error)
  for (const secret of stage.secrets()) expect(shown).not.toContain(secret)
}

export type OpenStage = (opening?: TransportOpening) => Promise<TransportStage>

/** Runs one test on a stage of its own, where `begin` opens an upload of so many bytes. */
export const stageRunner =
  (openStage: OpenStage, seed: string) =>
  async (
    work: (stage: TransportStage, begin: (size?: number) => Promise<Sent>) => Promise<unknown>,
    opening?: TransportOpening,
  ): Promise<void> => {
    await using stage = await openStage(opening)
    await work(stage, (size = 2 * CHUNK_SIZE + 5) => open(stage, randomBytes(size, seed)))
    expect(stage.fake.violations).toEqual([])
  }
