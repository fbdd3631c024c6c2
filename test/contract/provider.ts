import { describe, expect, test } from 'vitest'
import { AccountParked, Blamed, FatalError, NeedsPerson, StartOver, Unreachable } from '#shared/errors.ts'
import { partCount, partRange } from '#shared/providers/cut.ts'
import type { AccountAccess, Provider, Version } from '#shared/providers/provider.ts'
import { sideBySide } from '../support/kill/side-by-side.ts'
import {
  completeVersion,
  drive,
  failureOf,
  partOf,
  randomBytes,
  shownBy,
  sourceOf,
  viaRedis,
  type Driven,
} from './support.ts'

/** Where a fault strikes, in words that fit every provider. */
export type FaultStep = 'create-place' | 'create-session' | 'part' | 'finish' | 'read'

export type FaultKind =
  /** Done, and never answered. */
  | 'lost-reply'
  /** The connection ends while the request is on its way. */
  | 'cut'
  /** Never answered, never closed. */
  | 'hang'
  | 'unavailable'
  /** An HTML page with status 200, as captive portals send it. */
  | 'page'
  /** 429 with `Retry-After: 30`. */
  | 'slow-down'
  | 'wrong-etag'

/** In what providers differ. Each is held to all that it says of itself. */
export interface Traits {
  /** It knows bytes by their MD5; else a file by its size and its time. */
  readonly knowsMd5: boolean
  /** Answers to parts tell an MD5. */
  readonly etags: boolean
  /** Parts need the account's login. */
  readonly partsNeedLogin: boolean
  /** After a lost reply `prepare` looks at once what became of its request; else when it is called again. */
  readonly looksAtOnce: boolean
  /** With its last part the store forgets the blob, and knows none of its parts any more. */
  readonly forgetsParts: boolean
}

export interface Stage extends AsyncDisposable {
  readonly provider: Provider
  readonly account: AccountAccess
  /** Part size that sources are cut by, in bytes. */
  readonly partSize: number
  /** A request for a place that nothing was uploaded to yet. */
  readonly newRequest: (more?: { readonly onUnchanged: 'skip' | 'upload' }) => unknown
  /** The same request for the place a version went to, as a nightly repetition sends it. */
  readonly requestFor: (version: Version) => unknown
  /** A request for a place that does not exist and can not be made. */
  readonly lostRequest: () => unknown
  readonly fault: (step: FaultStep, kind: FaultKind, nth?: number) => void
  /** Which steps create something remote, in order. */
  readonly creates: readonly FaultStep[]
  /** Every login the server knows ends. */
  readonly expireLogins: () => void
  readonly passwordLogins: () => number
  readonly contents: (version: Version) => Promise<Buffer>
  /** Places that exist remotely, finished or not. */
  readonly places: () => Promise<number>
  readonly unfinished: () => number
  /** What the client did against the protocol. */
  readonly violations: () => readonly string[]
  /** Whatever must be in no error. Signed URLs are added as they are made. */
  readonly secrets: () => readonly string[]
}

export interface Opening {
  /** How long nothing may move before a request is given up. */
  readonly stallMs?: number
  readonly loginBudget?: number
}

/** In ms since 1970; later than any source was changed. */
const LATER = 1_760_000_000_000

const starting = (stage: Stage, bytes: Buffer, request: unknown = stage.newRequest()): Driven =>
  drive({ provider: stage.provider, account: stage.account, source: sourceOf(bytes), request })

/** What every provider must do. `open` starts it against its fake, with waits of milliseconds. */
export function testProvider(
  name: string,
  open: (opening?: Opening) => Promise<Stage>,
  traits: Traits,
): void {
  const run = async (
    work: (stage: Stage, start: (bytes: Buffer, request?: unknown) => Driven) => Promise<void>,
    opening: Opening = {},
  ): Promise<void> => {
    await using stage = await open(opening)
    await work(stage, (bytes, request) => starting(stage, bytes, request))
    expect(stage.violations()).toEqual([])
  }

  describe(`${name}: sizes`, () => {
    const sizes = [
      { what: 'nothing', times: 0, more: 0 },
      { what: 'one byte', times: 0, more: 1 },
      { what: 'one part less a byte', times: 1, more: -1 },
      { what: 'one part', times: 1, more: 0 },
      { what: 'one part and a byte', times: 1, more: 1 },
      { what: 'three parts', times: 3, more: 0 },
      { what: 'five parts and a byte', times: 5, more: 1 },
    ]
    test.each(sizes)('$what arrives whole', ({ what, more, times }) =>
      run(async (stage, start) => {
        const upload = start(randomBytes(times * stage.partSize + more, what))
        const version = await upload.run()
        expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
        expect(version.size).toBe(upload.source.bytes.length)
        expect(version.md5).toBe(traits.knowsMd5 ? upload.source.hashes.md5 : undefined)
        expect(stage.unfinished()).toBe(0)
      }),
    )

    test('parts of equal bytes all arrive', () =>
      run(async (stage, start) => {
        const upload = start(Buffer.alloc(3 * stage.partSize))
        const version = await upload.run()
        expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
      }))

    test('parts cover each blob from its first byte to its last without gaps', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(2 * stage.partSize + 7, 'cover'))
        const session = await upload.prepare()
        for (const blob of session.blobs) {
          let end = 0
          for (let number = 1; number <= partCount(blob); number += 1) {
            const { offset, length } = partRange(blob, number)
            expect(offset).toBe(end)
            end += length
          }
          expect(end).toBe(blob.size)
          expect(blob.parallel).toBeGreaterThanOrEqual(1)
        }
        expect(session.blobs[0]).toMatchObject({ content: 'source', size: upload.source.bytes.length })
      }))
  })

  describe(`${name}: repeated and interrupted`, () => {
    test('another process goes on from session and receipts as JSON', () =>
      run(async (stage, start) => {
        await using other = await open()
        const upload = start(randomBytes(2 * stage.partSize, 'json'))
        const session = viaRedis(await upload.prepare())
        // Its instance knows nothing but what the record holds.
        const process = drive({
          provider: other.provider,
          account: stage.account,
          source: upload.source,
          request: upload.view.request,
          tickets: upload.tickets,
        })
        await process.sendAll(session)
        const version = await completeVersion(() => process.confirm(session))
        expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
      }))

    test('opening again with the last draft makes nothing twice', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(stage.partSize, 'again'))
        await upload.prepare()
        const session = await upload.prepare()
        await upload.sendAll(session)
        await completeVersion(() => upload.confirm(session))
        expect([await stage.places(), stage.unfinished()]).toEqual([1, 0])
      }))

    test('a part may be sent twice, and a blob finished twice', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(2 * stage.partSize, 'twice'))
        const session = await upload.prepare()
        for (const blob of session.blobs) {
          if (!traits.forgetsParts) await upload.send(session, blob)
          const receipts = await upload.send(session, blob, { times: 2 })
          await upload.finish(session, blob, receipts)
          await upload.finish(session, blob, receipts)
        }
        const version = await completeVersion(() => upload.confirm(session))
        expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
      }))

    test('parts may be under way at once as many as the blob says', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(4 * stage.partSize, 'parallel'))
        const session = await upload.prepare()
        for (const blob of session.blobs) {
          const numbers = Array.from({ length: partCount(blob) }, (_, index) => index + 1)
          const send = async (number: number) => {
            const sending = { blob, tickets: upload.tickets, ...partOf(upload.source, blob, number) }
            return stage.provider.sendPart(stage.account, session, sending, new AbortController().signal)
          }
          const receipts = await sideBySide(numbers, Math.min(blob.parallel, numbers.length), send)
          await upload.finish(session, blob, receipts)
        }
        const version = await completeVersion(() => upload.confirm(session))
        expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
      }))

    test('abort leaves nothing behind, may be repeated, and ends what is gone as lost', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(2 * stage.partSize, 'abort'))
        const session = await upload.prepare()
        const left = { state: session.state, stillOurs: async () => true, tickets: upload.tickets }
        const signal = new AbortController().signal
        await stage.provider.abort(stage.account, left, signal)
        await stage.provider.abort(stage.account, left, signal)
        expect([await stage.places(), stage.unfinished()]).toEqual([0, 0])
        const [blob] = session.blobs
        if (blob === undefined) throw new Error('no blob')
        expect(await failureOf(upload.send(session, blob))).toBeInstanceOf(StartOver)
      }))

    test('abort by its draft alone leaves nothing behind', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(stage.partSize, 'draft'))
        await upload.prepare()
        const left = { state: upload.draft(), stillOurs: async () => true, tickets: upload.tickets }
        await stage.provider.abort(stage.account, left, new AbortController().signal)
        expect([await stage.places(), stage.unfinished()]).toEqual([0, 0])
      }))

    test('abort while a part is being sent leaves nothing behind', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(3 * stage.partSize, 'during'))
        const session = await upload.prepare()
        const [blob] = session.blobs
        if (blob === undefined) throw new Error('no blob')
        // But for the last, which may complete the file.
        const sending = upload.send(session, blob, { but: 1 }).catch(() => undefined)
        const left = { state: session.state, stillOurs: async () => true, tickets: upload.tickets }
        await stage.provider.abort(stage.account, left, new AbortController().signal)
        await sending
        expect([await stage.places(), stage.unfinished()]).toEqual([0, 0])
      }))

    test('abort removes nothing when the destination has another owner, nor what is finished', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(stage.partSize, 'owner'))
        const session = await upload.prepare()
        const abort = (stillOurs: boolean) =>
          stage.provider.abort(
            stage.account,
            { state: session.state, stillOurs: async () => stillOurs, tickets: upload.tickets },
            new AbortController().signal,
          )
        await abort(false)
        expect(stage.unfinished()).toBe(1)
        await upload.sendAll(session)
        const version = await completeVersion(() => upload.confirm(session))
        await abort(true)
        expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
      }))

    test('an aborted signal ends a part with its own reason', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(stage.partSize, 'signal'))
        const session = await upload.prepare()
        const [blob] = session.blobs
        if (blob === undefined) throw new Error('no blob')
        const stop = new AbortController()
        const reason = new Error('stopped by a person')
        stage.fault('part', 'hang')
        const sending = { blob, tickets: upload.tickets, ...partOf(upload.source, blob, 1) }
        const sent = failureOf(stage.provider.sendPart(stage.account, session, sending, stop.signal))
        setTimeout(() => stop.abort(reason), 50)
        expect(await sent).toBe(reason)
      }))
  })

  describe(`${name}: unchanged`, () => {
    test('the same bytes at the same place are recognised, other bytes are not', () =>
      run(async (stage, start) => {
        const first = start(randomBytes(stage.partSize, 'same'))
        const version = await first.run()
        const signal = new AbortController().signal
        const inspect = (bytes: Buffer, modifiedAt = first.view.modifiedAt) => {
          const { view } = start(bytes, stage.requestFor(version))
          const upload = {
            ...view,
            boundTo: version.remoteId,
            ...(modifiedAt !== undefined && { modifiedAt }),
          }
          return stage.provider.inspect(stage.account, upload, signal)
        }
        const same = await inspect(first.source.bytes)
        if (same.kind !== 'unchanged') throw new Error(`the same bytes are ${same.kind}`)
        expect(same.version.number).toBe(version.number)
        expect(same.version.md5).toBe(version.md5)
        // Whoever does not know bytes knows the time that they were changed at.
        const later = traits.knowsMd5 ? first.view.modifiedAt : LATER
        expect(await inspect(randomBytes(stage.partSize, 'other'), later)).toEqual({ kind: 'changed' })
        expect(await inspect(randomBytes(stage.partSize + 1, 'more'))).toEqual({ kind: 'changed' })
      }))

    test('before the hashes are there only the ledger’s newest version counts', () =>
      run(async (stage, start) => {
        const version = await start(randomBytes(stage.partSize, 'old')).run()
        const newer = await drive({
          provider: stage.provider,
          account: stage.account,
          source: sourceOf(randomBytes(stage.partSize, 'new')),
          request: stage.requestFor(version),
          boundTo: version.remoteId,
        }).run()
        const unknown = start(randomBytes(stage.partSize, 'unknown'), stage.requestFor(version))
        const { hashes: _, ...view } = { ...unknown.view, modifiedAt: LATER }
        const inspect = (unchangedSince: Version) =>
          stage.provider.inspect(
            stage.account,
            { ...view, boundTo: version.remoteId, unchangedSince },
            new AbortController().signal,
          )
        expect(await inspect(version)).toEqual({ kind: 'changed' })
        expect(await inspect(newer)).toMatchObject({ kind: 'unchanged' })
      }))

    test('onUnchanged: upload finds everything changed, and a new place is absent', () =>
      run(async (stage, start) => {
        const bytes = randomBytes(stage.partSize, 'forced')
        const signal = new AbortController().signal
        const { view } = start(bytes)
        expect(await stage.provider.inspect(stage.account, view, signal)).toEqual({ kind: 'absent' })
        const request = stage.newRequest({ onUnchanged: 'upload' })
        const version = await start(bytes, request).run()
        const again = { ...start(bytes, request).view, boundTo: version.remoteId }
        expect(await stage.provider.inspect(stage.account, again, signal)).toEqual({ kind: 'changed' })
      }))

    test('a place that does not exist and can not be made is a clear end', () =>
      run(async (stage, start) => {
        const upload = start(Buffer.alloc(1), stage.lostRequest())
        expect(await failureOf(upload.prepare())).toBeInstanceOf(FatalError)
        expect(await stage.places()).toBe(0)
      }))
  })

  describe(`${name}: faults`, () => {
    test('a lost reply to any creating call makes nothing twice', async () => {
      await using probe = await open()
      for (const step of probe.creates) {
        await run(async (stage, start) => {
          stage.fault(step, 'lost-reply')
          const upload = start(randomBytes(stage.partSize, step))
          const lost = traits.looksAtOnce ? undefined : await failureOf(upload.prepare())
          expect(lost instanceof Unreachable).toBe(!traits.looksAtOnce)
          const version = await upload.run()
          expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
          expect([await stage.places(), stage.unfinished()]).toEqual([1, 0])
        })
      }
    })

    test('a lost reply to any creating call of an upload that ends there leaves nothing behind', async () => {
      await using probe = await open()
      for (const step of probe.creates) {
        await run(async (stage) => {
          const stop = new AbortController()
          stage.fault(step, 'lost-reply')
          const upload = drive({
            provider: stage.provider,
            account: stage.account,
            source: sourceOf(Buffer.alloc(1)),
            request: stage.newRequest(),
            signal: stop.signal,
          })
          // As if the process died before it could look what became of its request.
          if (traits.looksAtOnce) stage.fault('read', 'hang')
          setTimeout(() => stop.abort(new Error('killed')), 300)
          await failureOf(upload.prepare())
          const left = { state: upload.draft(), stillOurs: async () => true, tickets: upload.tickets }
          await stage.provider.abort(stage.account, left, new AbortController().signal)
          expect([await stage.places(), stage.unfinished()]).toEqual([0, 0])
        })
      }
    })

    test('a lost reply to finish is settled by reading back', () =>
      run(async (stage, start) => {
        stage.fault('finish', 'lost-reply')
        const upload = start(randomBytes(2 * stage.partSize, 'finish'))
        const version = await upload.run()
        expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
      }))

    test.each(['cut', 'unavailable', 'hang'] as const)(
      'a part that meets %s is nobody’s fault and may be sent again',
      (kind) =>
        run(
          async (stage, start) => {
            const upload = start(randomBytes(2 * stage.partSize, kind))
            const session = await upload.prepare()
            const [blob] = session.blobs
            if (blob === undefined) throw new Error('no blob')
            stage.fault('part', kind)
            const error = await failureOf(upload.send(session, blob))
            expect(error).toBeInstanceOf(Unreachable)
            expect(error).toMatchObject({ host: expect.stringMatching(/^https?:\/\/[^/?]+$/) })
            await upload.sendAll(session)
            const version = await completeVersion(() => upload.confirm(session))
            expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
          },
          { stallMs: 400 },
        ),
    )

    test.each(['cut', 'unavailable'] as const)('a read that meets %s once is repeated', (kind) =>
      run(async (stage, start) => {
        const version = await start(randomBytes(stage.partSize, kind)).run()
        stage.fault('read', kind)
        const read = stage.provider.show(stage.account, version.remoteId, new AbortController().signal)
        expect(await read).toMatchObject({ id: version.remoteId })
      }),
    )

    test('an HTML page with status 200 is no answer', () =>
      run(async (stage, start) => {
        const version = await start(randomBytes(stage.partSize, 'page')).run()
        for (const nth of [1, 2, 3]) stage.fault('read', 'page', nth)
        const read = stage.provider.show(stage.account, version.remoteId, new AbortController().signal)
        expect(await failureOf(read)).toBeInstanceOf(Unreachable)
      }))

    test('a read that is never answered is given up', () =>
      run(
        async (stage, start) => {
          const version = await start(randomBytes(stage.partSize, 'hang')).run()
          for (const nth of [1, 2, 3]) stage.fault('read', 'hang', nth)
          const read = stage.provider.show(stage.account, version.remoteId, new AbortController().signal)
          expect(await failureOf(read)).toBeInstanceOf(Unreachable)
        },
        { stallMs: 300 },
      ))

    test('429 with Retry-After parks the account for that long', () =>
      run(async (stage, start) => {
        stage.fault('create-session', 'slow-down')
        const error = await failureOf(start(Buffer.alloc(1)).prepare())
        expect(error).toBeInstanceOf(AccountParked)
        expect(error).toMatchObject({ delayMs: 30_000 })
      }))

    const digests = traits.etags ? ['an ETag that is not the MD5'] : []
    test.each(digests)('%s is sent once more, then blamed on the part', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(2 * stage.partSize, 'etag'))
        const session = await upload.prepare()
        const [blob] = session.blobs
        if (blob === undefined) throw new Error('no blob')
        stage.fault('part', 'wrong-etag')
        expect(await upload.send(session, blob)).toHaveLength(partCount(blob))
        stage.fault('part', 'wrong-etag', 1)
        stage.fault('part', 'wrong-etag', 2)
        const error = await failureOf(upload.send(session, blob))
        expect(error).toBeInstanceOf(Blamed)
        expect(error).toMatchObject({ class: 'etag-mismatch', message: expect.stringContaining('etagCheck') })
      }),
    )
  })

  describe(`${name}: logins`, () => {
    test('a login that ends in the middle is renewed once, by whoever comes first', () =>
      run(async (stage, start) => {
        const upload = start(randomBytes(4 * stage.partSize, 'renewed'))
        const session = await upload.prepare()
        const before = stage.passwordLogins()
        stage.expireLogins()
        const others = Array.from({ length: 5 }, () =>
          stage.provider.list(stage.account, {}, new AbortController().signal),
        )
        await Promise.all([...others, upload.sendAll(session)])
        expect(stage.passwordLogins()).toBe(before + 1)
      }))

    test('without budget for another login a person is needed', () =>
      run(
        async (stage, start) => {
          await start(Buffer.alloc(1)).run()
          stage.expireLogins()
          const read = stage.provider.list(stage.account, {}, new AbortController().signal)
          expect(await failureOf(read)).toBeInstanceOf(NeedsPerson)
          expect(stage.passwordLogins()).toBe(1)
        },
        { loginBudget: 1 },
      ))

    test('no error shows a secret', () =>
      run(
        async (stage, start) => {
          const upload = start(randomBytes(2 * stage.partSize, 'secrets'))
          const session = await upload.prepare()
          const [blob] = session.blobs
          if (blob === undefined) throw new Error('no blob')
          const errors: unknown[] = []
          for (const kind of ['cut', 'unavailable', 'hang', 'slow-down'] as const) {
            stage.fault('part', kind)
            errors.push(await failureOf(upload.send(session, blob)))
          }
          stage.expireLogins()
          if (traits.partsNeedLogin) errors.push(await failureOf(upload.send(session, blob)))
          errors.push(await failureOf(start(Buffer.alloc(1)).prepare()))
          const shown = errors.map((error) => shownBy(error)).join('\n')
          expect(stage.secrets().filter((secret) => shown.includes(secret))).toEqual([])
          expect(stage.secrets().length).toBeGreaterThan(2)
        },
        { stallMs: 300, loginBudget: 1 },
      ))
  })
}
