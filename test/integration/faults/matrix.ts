import { describe, expect, test } from 'vitest'
import type { Call } from './calls.ts'
import { runCell } from './cell.ts'
import { wrongInTheEnd } from './end-state.ts'
import { PATIENCE_MS } from './patience.ts'
import { troubles } from './troubles.ts'
import type { Trouble } from './troubles.ts'

/** One call with each of the troubles that it can meet, and with those that only it can. */
export function testCall(call: Call, more: readonly Trouble[] = []): void {
  describe.concurrent(`VRChat, ${call.name}`, () => {
    const all = [...troubles(), ...more]
    const possible = all.filter(({ onlyApi }) => onlyApi !== true || call.operation !== 'putPart')
    const named = possible.map((trouble) => [trouble.name, trouble] as const)
    test.each(named)('%s', { timeout: PATIENCE_MS }, async (_, trouble) => {
      expect(await runCell(call, trouble, wrongInTheEnd)).toEqual([])
    })
  })
}
