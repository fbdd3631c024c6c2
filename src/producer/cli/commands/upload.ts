import process from 'node:process'
import type { Form } from '#shared/providers/form.ts'
import { account, type Upload } from '../api/answers.ts'
import { at } from '../api/client.ts'
import { Refused } from '../api/problem.ts'
import { defineCommand, jsonFlag, type Context } from '../command.ts'
import { UsageError } from '../errors.ts'
import { toggle, type Values } from '../flags.ts'
import { examplesOf, formOf } from '../forms.ts'
import { line } from '../io.ts'
import { showJson } from '../show.ts'
import { printable } from '../terminal/text.ts'
import { checkRequest, fittingForms, requestBody, requestFlags } from '../upload/request.ts'
import { codeOf, resultOf } from '../upload/results.ts'
import { toSource, type Source } from '../upload/sources.ts'
import { outcomeOf, persist, submitAll, type Submitted } from '../upload/submit.ts'
import { waitFor } from '../upload/wait.ts'

const flags = {
  ...requestFlags,
  wait: toggle('wait until all have ended, and show how far they are'),
  'dry-run': toggle('send nothing: print what would be sent; needs neither service nor account'),
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
  examples: examplesOf('upload'),
  flags,
  run: async ({ args: files, flags }, context) => {
    const sources = files.map((file) => toSource(file, process.cwd()))
    const fitting = fittingForms(flags, sources)
    if (flags['dry-run']) {
      const [form, ...others] = fitting
      if (others.length > 0) throw new UsageError('--provider is missing: several take an upload like this')
      // Brings all that providers are made of, which no other command needs.
      const { dryRun } = await import('../upload/dry-run-command.ts')
      return dryRun(sources, { form, flags }, context)
    }
    if (flags.account === undefined) throw new UsageError('--account is missing')
    const outcomes = await submit(sources, { flags, context, account: flags.account, fitting })
    const ends = flags.wait ? await waitFor(acceptedOf(outcomes), { json: flags.json, context }) : new Map()
    return report(outcomes, { ends, flags, context })
  },
})

interface Submitting {
  readonly flags: UploadFlags
  readonly context: Context
  readonly account: string
  readonly fitting: readonly [Form, ...Form[]]
}

const submit = async (sources: readonly Source[], submitting: Submitting): Promise<readonly Submitted[]> => {
  const {
    flags,
    context: { api, io, signal },
  } = submitting
  let form: Form
  try {
    form = await findForm(submitting)
  } catch (error) {
    if (error instanceof UsageError) throw error
    signal.throwIfAborted()
    return sources.map((source) => outcomeOf(source, error))
  }
  checkRequest(form, flags, sources)
  const told = (outcome: Submitted): void => {
    if (outcome.kind === 'accepted') {
      if (!flags.json) line(io.out, printable(`${outcome.upload.id}  ${outcome.source.file}`))
    } else if (outcome.kind === 'refused') {
      line(io.err, `${printable(outcome.source.file)}: ${outcome.error.message}`)
    }
  }
  const bodyOf = (source: Source): unknown => requestBody(form, flags, source)
  // To one place they go in the order they are accepted, so one after the other.
  const atOnce = form.upload.isOnePlace(flags) ? 1 : 8
  return submitAll({ api, sources, bodyOf, atOnce, told, signal })
}

/** How the account's provider is asked. What is wrong with the account is said when it is handed an upload. */
const findForm = async ({ flags, context, account: id, fitting }: Submitting): Promise<Form> => {
  if (flags.provider !== undefined) return fitting[0]
  const { api, signal } = context
  try {
    const { provider } = await persist(() => api.ask({ path: at`/v1/accounts/${id}` }, account), signal)
    return formOf(provider)
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return fitting[0]
    throw error
  }
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
