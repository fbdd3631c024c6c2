import { FatalError } from '#shared/errors.ts'
import { createProviders } from '#shared/providers/index.ts'
import type { Form } from '#shared/providers/form.ts'
import type { Context } from '../command.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { line } from '../io.ts'
import { showFields, showJson, textOf } from '../show.ts'
import { formatBytes } from '../terminal/format.ts'
import { printable } from '../terminal/text.ts'
import { createDryRunner, type Cut, type DryRun } from './dry-run.ts'
import type { RequestFlags } from './request.ts'
import type { Source } from './sources.ts'

interface Asked {
  readonly form: Form
  readonly flags: RequestFlags & { readonly json: boolean }
}

/** `upload --dry-run`: prints what would be sent for each file. Answers the exit code. */
export const dryRun = async (
  sources: readonly Source[],
  { form, flags }: Asked,
  { io, signal }: Context,
): Promise<number> => {
  const provider = createProviders()(form.provider)
  const requestOf = (source: Source): unknown => {
    const parsed = provider.uploadRequest.safeParse(form.upload.request(flags, source))
    if (parsed.success) return parsed.data
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new UsageError(problems.join('; '))
  }
  await using runner = await createDryRunner({
    provider,
    requestOf,
    account: flags.account ?? '',
    signal,
  })
  const plans: DryRun[] = []
  for (const source of sources) {
    try {
      const plan = await runner.plan(source)
      plans.push(plan)
      if (!flags.json) show(plan, form, io)
    } catch (error) {
      // The others may do.
      if (!(error instanceof FatalError)) throw error
      line(io.err, printable(error.message))
    }
  }
  if (flags.json) showJson(io, plans)
  return plans.length === sources.length ? exitCodes.done : exitCodes.failed
}

const show = (plan: DryRun, { upload: { cutBy } }: Form, io: Context['io']): void => {
  line(io.out, printable(plan.file))
  showFields(io, [
    ['  fileMd5', plan.fileMd5],
    ['  fileSizeInBytes', String(plan.fileSizeInBytes)],
    ['  signatureMd5', plan.signatureMd5],
    ['  signatureSizeInBytes', plan.signatureSizeInBytes?.toString()],
    ['  destination', textOf(plan.destination)],
    ['  parts', plan.parts ? cutText(plan.parts) : cutBy && `${cutBy} decides how it is cut, when it begins`],
    ['  signature parts', plan.signatureParts && cutText(plan.signatureParts)],
  ])
}

/** `3 of 16.0 MiB (16777216 bytes), the last 1.2 MiB (1258291 bytes)`. */
const cutText = ({ count, size, lastSize }: Cut): string =>
  count === 1 ? `1 of ${exactly(size)}` : `${count} of ${exactly(size)}, the last ${exactly(lastSize)}`

const exactly = (bytes: number): string =>
  bytes < 1024 ? `${bytes} bytes` : `${formatBytes(bytes)} (${bytes} bytes)`
