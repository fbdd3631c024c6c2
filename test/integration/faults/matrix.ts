import { describe, expect, test, vi } from 'vitest'
import type { VrchatCall } from './calls.ts'
import { runCell } from './cell.ts'
import { cloudreveCalls } from './cloudreve-calls.ts'
import type { CloudreveCall } from './cloudreve-calls.ts'
import { cloudreve } from './cloudreve-subject.ts'
import { cloudreveTroubles, ownTroubles } from './cloudreve-troubles.ts'
import { wrongInTheEnd } from './end-state.ts'
import { PATIENCE_MS } from './patience.ts'
import type { Call, FaultyService, Subject } from './subject.ts'
import { troubles } from './troubles.ts'
import type { Trouble } from './troubles.ts'
import { vrchat } from './vrchat-subject.ts'

/** One call to VRChat with each of the troubles that it can meet, and with those that only it can. */
export function testCall(call: VrchatCall, more: readonly Trouble[] = []): void {
  const possible = [...troubles(), ...more].filter(
    ({ onlyApi }) => onlyApi !== true || call.operation !== 'putPart',
  )
  testCells('VRChat', vrchat, { call, possible })
}

/** Nothing is hashed before it is sent: nearly all of the time of a cell is waiting. */
const CELLS_AT_ONCE = 10

/** One call to Cloudreve, or to one of its stores, likewise. */
export function testCloudreve(name: keyof typeof cloudreveCalls): void {
  vi.setConfig({ maxConcurrency: CELLS_AT_ONCE })
  const call: CloudreveCall = cloudreveCalls[name]
  const possible = [...cloudreveTroubles(call), ...(ownTroubles[name] ?? [])]
  testCells('Cloudreve', cloudreve, { call, possible })
}

function testCells<Kind extends Call, Service extends FaultyService>(
  provider: string,
  subject: Subject<Kind, Service>,
  { call, possible }: { readonly call: Kind; readonly possible: readonly Trouble[] },
): void {
  describe.concurrent(`${provider}, ${call.name}`, () => {
    const named = possible.map((trouble) => [trouble.name, trouble] as const)
    test.each(named)('%s', { timeout: PATIENCE_MS }, async (_, trouble) => {
      expect(await runCell(subject, { call, trouble }, wrongInTheEnd)).toEqual([])
    })
  })
}
