import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { at } from '../api/client.ts'
import { chooseAccount } from '../choose-account.ts'
import { defineCommand } from '../command.ts'
import { exitCodes, Failed } from '../errors.ts'
import { text, toggle } from '../flags.ts'
import { examplesOf } from '../forms.ts'
import { line, type Io } from '../io.ts'
import { attachmentName } from '../attachment-name.ts'
import { fileLooks, readVersion } from '../remote-file.ts'
import { refuseOverwriting, saveFile } from '../save-file.ts'
import { printable } from '../terminal/text.ts'

export const download = defineCommand({
  name: 'download',
  args: ['FILE', 'VERSION'],
  summary: 'fetch one version of a file from the provider',
  details: `FILE is what the provider calls it: ${fileLooks}.`,
  examples: examplesOf('download'),
  flags: {
    account: text('ID', 'whose file; the only account unless given'),
    output: text('FILE', 'where to; - is standard output; else the name it has at the provider', 'o'),
    force: toggle('replace a file that is there'),
  },
  run: async ({ args: [file = '', written = ''], flags }, { io, api, signal }) => {
    const version = readVersion(file, written)
    const { output, force } = flags
    if (output !== undefined && output !== '-' && !force) await refuseOverwriting(resolve(output))
    const id = await chooseAccount(api, flags.account)
    const path = at`/v1/accounts/${id}/files/${file}/versions/${version}/content`
    const { body, header } = await api.stream({ path })
    if (output === '-') {
      await whole(body, signal, () => pour(body, io, signal))
      return exitCodes.done
    }
    const name = output ?? attachmentName(header('content-disposition')) ?? nameWithout(file, version)
    try {
      if (!force) await refuseOverwriting(resolve(name))
      await whole(body, signal, () => saveFile(body, resolve(name), { overwrite: force, signal }))
    } finally {
      body.destroy()
    }
    line(io.out, printable(name))
    return exitCodes.done
  },
})

/** A name where the provider says none; what it calls the file may be a path. */
const nameWithout = (file: string, version: number | string): string =>
  `${file.split('/').at(-1) ?? ''}-${version}`

/** Says in words when it was the other side that ended early. */
const whole = async (body: Readable, signal: AbortSignal, work: () => Promise<void>): Promise<void> => {
  try {
    await work()
  } catch (error) {
    signal.throwIfAborted()
    const { errored } = body
    if (errored === null || errored !== error) throw error
    throw new Failed(`The service stopped sending before the end (${errored.message})`, { cause: error })
  }
}

/** To standard output, which stays open, no faster than it is read. */
const pour = async (body: Readable, { out }: Io, signal: AbortSignal): Promise<void> => {
  for await (const chunk of body) {
    if (!out.write(chunk)) await once(out, 'drain', { signal })
  }
}
