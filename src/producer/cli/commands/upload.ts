import process from 'node:process'
import type { Upload } from '../api/answers.ts'
import { defineCommand, jsonFlag, type Context } from '../command.ts'
import { UsageError } from '../errors.ts'
import { toggle, type Values } from '../flags.ts'
import { line } from '../io.ts'
import { showJson } from '../show.ts'
import { printable } from '../terminal/text.ts'
import { checkRequest, requestBody, requestFlags } from '../upload/request.ts'
import { codeOf, resultOf } from '../upload/results.ts'
import { refuseSameNames, toSource, type Source } from '../upload/sources.ts'
import { submitAll, type Submitted } from '../upload/submit.ts'
import { waitFor } from '../upload/wait.ts'
import { dryRun } from '../upload/dry-run-command.ts'

const flags = {
  ...requestFlags,
  wait: toggle('wait until all have ended, and show how far they are'),
  'dry-run': toggle('send nothing: print hashes, sizes and parts; needs neither service nor account'),
  ...jsonFlag,
} as const

type UploadFlags = Values<typeof flags>

export const uploadCommand = defineCommand({
  name: 'upload',
  args: ['FILE…'],
  summary: 'hand files to the service, which uploads them in the background',
  details:
    'A FILE is a path on this machine, or a file:// URL of the machine that the workers run on. Prints the id of\n' +
    'each upload. With --wait it succeeds only if all of them completed or were skipped as unchanged; Ctrl-C ends\n' +
    'the waiting only.',
  examples: [
    'stevedore upload build/world.vrcw --account main --wait',
    'stevedore upload *.vrca --account main --json',
    'stevedore upload world.vrcw --account main --file-id file_0a1b… --on-unchanged upload',
    'stevedore upload world.vrcw --provider vrchat --dry-run',
  ],
  flags,
  run: async ({ args: files, flags }, context) => {
    const sources = files.map((file) => toSource(file, process.cwd()))
    checkRequest(flags, sources)
    if (flags['dry-run']) return dryRun(sources, flags, context)
    if (flags.account === undefined) throw new UsageError('--account is missing')
    const sharesName = flags.name !== undefined || flags['file-id'] !== undefined
    if (!sharesName && !flags['new-file']) refuseSameNames(sources)
    // To one place they go in the order they are accepted, so one after the other.
    const outcomes = await submit(sources, { flags, context, atOnce: sharesName ? 1 : 8 })
    const ends = flags.wait ? await waitFor(acceptedOf(outcomes), { json: flags.json, context }) : new Map()
    return report(outcomes, { ends, flags, context })
  },
})

interface Submitting {
  readonly flags: UploadFlags
  readonly context: Context
  readonly atOnce: number
}

const submit = async (
  sources: readonly Source[],
  { flags, context: { api, io, signal }, atOnce }: Submitting,
): Promise<readonly Submitted[]> => {
  const told = (outcome: Submitted): void => {
    if (outcome.kind === 'accepted') {
      if (!flags.json) line(io.out, printable(`${outcome.upload.id}  ${outcome.source.file}`))
    } else if (outcome.kind === 'refused') {
      line(io.err, `${printable(outcome.source.file)}: ${outcome.error.message}`)
    }
  }
  return submitAll({ api, sources, bodyOf: (source) => requestBody(flags, source), atOnce, told, signal })
}

const acceptedOf = (outcomes: readonly Submitted[]): readonly (Submitted & { readonly kind: 'accepted' })[] =>
  outcomes.filter((outcome) => outcome.kind === 'accepted')

interface Reporting {
  /** How uploads ended, by id; empty unless they were waited for. */
  readonly ends: ReadonlyMap<string, Upload>
  readonly flags: UploadFlags
  readonly context: Context
}

const report = (outcomes: readonly Submitted[], { ends, flags, context: { io } }: Reporting): number => {
  if (flags.json)
    showJson(
      io,
      outcomes.map((outcome) => resultOf(outcome, ends)),
    )
  const unsent = outcomes.filter((outcome) => outcome.kind === 'unsent')
  const [first] = unsent
  if (first !== undefined) {
    const files = unsent.map(({ source }) => printable(source.file)).join(', ')
    line(io.err, `stevedore: ${first.error.message}\nNot sent: ${files}`)
  }
  return codeOf(outcomes, flags.wait ? ends : undefined)
}
