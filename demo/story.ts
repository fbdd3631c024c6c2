import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatBytes } from '#producer/cli/terminal/format.ts'
import { ProgramFailed, Interrupted } from '../test/support/programs/failure.ts'
import { bytesOf, filesOf, makeFiles } from './files.ts'
import type { Flags } from './flags.ts'
import { type Screen, seconds } from '../test/support/programs/screen.ts'
import { openService } from './service.ts'
import type { Service, Upload } from './service.ts'
import { openStage } from './stage.ts'
import type { Stage } from './stage.ts'
import { printLimits, printVerdict } from './print.ts'
import { transfer } from './transfer.ts'
import { judge } from './verdict.ts'
import type { Verdict } from './verdict.ts'
import { hearWitnesses } from './witness.ts'
import { openWorkspace } from '../test/support/programs/workspace.ts'
import type { Workspace } from '../test/support/programs/workspace.ts'

interface Options {
  readonly flags: Flags
  readonly screen: Screen
  /** Aborts with `Interrupted` at Ctrl-C. */
  readonly interrupted: AbortSignal
}

/** The whole demo, from an empty folder to an empty folder. Answers the exit code. */
export async function runDemo(options: Options): Promise<number> {
  const { screen, interrupted } = options
  try {
    const { problems, arrivals } = await inWorkspace(options)
    if (problems.length > 0)
      return fail(
        screen,
        new ProgramFailed(
          `Not all is as it should be:`,
          problems.map((problem) => `- ${problem}`),
        ),
      )
    // Somebody may have looked around for an hour.
    const took = options.flags.keep ? '' : `, in ${screen.clock()} from start to end`
    const text = `All ${arrivals.length} files arrived whole${took}.`
    screen.line(`\n${screen.paint('good', text)}`)
    return 0
  } catch (error) {
    if (!interrupted.aborted) return fail(screen, error)
    screen.line('\nInterrupted.')
    return 130
  }
}

// What was made, what arrived, and the parts that are replaced while both are there.
const ROOM = 2.2

async function inWorkspace(options: Options): Promise<Verdict> {
  const { flags, screen, interrupted } = options
  const wanted = filesOf(flags.partSize)
  const bytes = bytesOf(wanted)
  screen.line(
    screen.paint(
      'bold',
      `Stevedore demo: ${wanted.length} files, ${formatBytes(bytes)}, to VRChat and Cloudreve; two workers, one of them killed on the way`,
    ),
  )
  const room = { program: 'demo', bytes: bytes * ROOM, smaller: '--scale 0.3' }
  await using workspace = await openWorkspace(room)
  const keepLogs = (): void => {
    workspace.keep('logs')
    screen.line(`  The logs are kept in ${workspace.logs}`)
  }
  try {
    const verdict = await onStage(options, workspace)
    if (verdict.problems.length > 0) keepLogs()
    return verdict
  } catch (error) {
    if (!interrupted.aborted) keepLogs()
    throw error
  }
}

async function onStage({ flags, screen, interrupted }: Options, workspace: Workspace): Promise<Verdict> {
  screen.heading('Starting, each a process of its own')
  await using stage = await openStage({
    workspace,
    partSize: flags.partSize,
    screen,
    signal: interrupted,
  })
  try {
    return await perform(stage, { workspace, flags, screen })
  } catch (error) {
    // Who asks a process that has just died hears of it sooner than we do.
    if (!stage.signal.aborted) await Promise.race([once(stage.signal, 'abort'), sleep(500)])
    stage.signal.throwIfAborted()
    throw error
  }
}

interface Show extends Pick<Options, 'flags' | 'screen'> {
  readonly workspace: Workspace
}

async function perform(stage: Stage, { workspace, flags, screen }: Show): Promise<Verdict> {
  const { partSize } = flags
  await using service = openService(stage)

  screen.heading('Making files')
  const began = performance.now()
  const files = await makeFiles(workspace.sources, filesOf(partSize), stage.signal)
  const took = seconds(performance.now() - began)
  screen.line(
    `  ${files.length} files of random bytes, from nothing to ${formatBytes(files[0]?.size ?? 0)}, in ${took}`,
  )

  screen.heading('Limits that the demo sets for itself')
  await service.addAccounts()
  printLimits(screen, partSize)

  screen.heading('Uploading over the HTTP API')
  const { uploads, kill } = await transfer({ stage, service, files, partSize, screen })

  screen.heading('What arrived')
  const [parts, witnesses] = await Promise.all([countParts(service, uploads), hearWitnesses(stage, files)])
  const verdict = judge({ files, uploads, parts, witnesses, kill, partSize })
  printVerdict(screen, verdict, partSize)
  if (flags.keep) await linger(screen, stage)
  return verdict
}

async function countParts(service: Service, uploads: readonly Upload[]) {
  return new Map(await Promise.all(uploads.map(async ({ id }) => [id, await service.parts(id)] as const)))
}

async function linger(screen: Screen, { url, token, signal }: Stage): Promise<void> {
  screen.heading(`Done in ${screen.clock()}, and still running until Ctrl-C`)
  screen.line(`  dashboard  ${url}/dashboard`)
  screen.line(`  API docs   ${url}/docs`)
  screen.line(`  token      ${token}`)
  if (!signal.aborted) await once(signal, 'abort')
  if (!(signal.reason instanceof Interrupted)) throw signal.reason
}

function fail(screen: Screen, error: unknown): number {
  if (error instanceof SuppressedError) fail(screen, error.suppressed)
  const reason: unknown = error instanceof SuppressedError ? error.error : error
  const message = reason instanceof Error ? reason.message : String(reason)
  screen.line(`\n${screen.paint('bad', `Failed after ${screen.clock()}: ${message}`)}`)
  if (reason instanceof ProgramFailed) for (const detail of reason.details) screen.line(`  ${detail}`)
  return 1
}
