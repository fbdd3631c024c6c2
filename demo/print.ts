import { formatBytes } from '#producer/cli/terminal/format.ts'
import { chunkSizeOf } from './files.ts'
import { accounts } from './service.ts'
import { printTable, printTotals } from './table.ts'
import type { Verdict } from './verdict.ts'
import type { Screen } from '../test/support/programs/screen.ts'

/** What the demo allows itself at each provider. */
export function printLimits(screen: Screen, partSize: number): void {
  for (const { id, title, provider, limits } of accounts) {
    const { maxActiveUploads, partsAtOnce, callsAtOnce, callSpacingMs } = limits
    const cut =
      provider === 'vrchat'
        ? `parts of ${formatBytes(partSize)}`
        : `chunks of ${formatBytes(chunkSizeOf(partSize))}`
    screen.line(
      `  ${title}, account ${id}: ${maxActiveUploads} uploads at once, ${partsAtOnce} parts at once,`,
    )
    screen.line(`    ${cut}, ${callsAtOnce} API calls at once, ${callSpacingMs} ms between them`)
  }
  screen.line(
    screen.paint('dim', '  A real account starts far gentler, and a real site says how it wants its chunks.'),
  )
}

/** What arrived, file by file and in all, and what the kill cost. */
export function printVerdict(screen: Screen, verdict: Verdict, partSize: number): void {
  const note = (text: string): void => screen.line(screen.paint('dim', `  ${text}`))
  printTable(screen, verdict.arrivals)
  note('Parts: of the file, and of its signature at VRChat. Same SHA-256: the bytes on')
  note('the disk of the fakes have the digest that the source got when it was made.')
  screen.heading('What went over the wire')
  printTotals(screen, verdict.arrivals)
  printChecks(screen, verdict, partSize)
}

function printChecks(
  screen: Screen,
  { sentTwice, partsInFlight, problems }: Verdict,
  partSize: number,
): void {
  const most = formatBytes(partsInFlight * partSize)
  screen.line(`\n  Sent twice because of the kill: ${formatBytes(sentTwice)} (${sentTwice} bytes),`)
  screen.line(
    `  at most ${most}: ${partsInFlight} ${partsInFlight === 1 ? 'part' : 'parts'} in flight × ${formatBytes(partSize)}`,
  )
  if (problems.length === 0) {
    screen.line(`  Against VRChat's rules and Cloudreve's protocol: nothing, say the fakes;`)
    screen.line(`  nor was anything left unfinished there`)
  }
  for (const problem of problems) screen.line(`  ${screen.paint('bad', `✗ ${problem}`)}`)
}
