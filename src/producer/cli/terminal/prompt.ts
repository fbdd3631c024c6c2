import { createInterface } from 'node:readline/promises'
import { stripVTControlCharacters } from 'node:util'
import { Interrupted, UsageError } from '../errors.ts'
import { isInteractive, line, type Io } from '../io.ts'
import { printable } from './text.ts'

/** Asks for a line. Throws `UsageError` when nobody can be asked; `missing` says what to give instead. */
export const askLine = async (io: Io, question: string, missing: string): Promise<string> => {
  requirePerson(io, missing)
  const lines = createInterface({ input: io.input, output: io.err, terminal: true })
  // Ctrl-C and Ctrl-D, which reach only the line editor while it reads.
  const ended = new AbortController()
  lines.once('SIGINT', () => ended.abort(new Interrupted(130)))
  lines.once('close', () => ended.abort(new Interrupted(130)))
  try {
    const answer = await lines.question(`${printable(question)} `, {
      signal: AbortSignal.any([io.signal, ended.signal]),
    })
    return answer.trim()
  } catch (error) {
    line(io.err)
    throw io.signal.aborted ? io.signal.reason : ended.signal.aborted ? ended.signal.reason : error
  } finally {
    lines.close()
  }
}

/** Asks a yes or no question; anything but a yes is a no. */
export const confirm = async (io: Io, question: string, missing: string): Promise<boolean> => {
  const answer = await askLine(io, `${question} [y/N]`, missing)
  return /^y(es)?$/i.test(answer)
}

/** Asks for a secret, which is not shown while it is typed. */
export const askSecret = async (io: Io, question: string, missing: string): Promise<string> => {
  requirePerson(io, missing)
  const { input, err, signal } = io
  err.write(`${printable(question)} `)
  input.setRawMode?.(true)
  try {
    return await readHidden(input, signal)
  } finally {
    input.setRawMode?.(false)
    input.pause()
    line(err)
  }
}

const requirePerson = (io: Io, missing: string): void => {
  io.signal.throwIfAborted()
  if (!isInteractive(io)) throw new UsageError(missing)
}

const readHidden = (input: Io['input'], signal: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    let typed = ''
    const stop = (settle: () => void): void => {
      input.off('data', onData)
      input.off('end', onEnd)
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    const onAbort = (): void => stop(() => reject(signal.reason))
    const onEnd = (): void => stop(() => reject(new Interrupted(130)))
    const onData = (chunk: unknown): void => {
      const keys = readKeys(typed, withoutSequences(String(chunk)))
      typed = keys.typed
      if (keys.end === 'enter') stop(() => resolve(typed))
      if (keys.end === 'interrupt') onEnd()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    input.on('end', onEnd)
    input.on('data', onData)
    input.resume()
  })

// Arrow keys and the like.
const withoutSequences = (keys: string): string => stripVTControlCharacters(keys)

interface Keys {
  readonly typed: string
  readonly end?: 'enter' | 'interrupt'
}

// Enter; Ctrl-C and Ctrl-D; backspace; Ctrl-U. A paste comes as many keys at once.
const readKeys = (before: string, keys: string): Keys => {
  let typed = before
  for (const key of keys) {
    if (key === '\r' || key === '\n') return { typed, end: 'enter' }
    if (key === '\u0003' || (key === '\u0004' && typed === '')) return { typed, end: 'interrupt' }
    typed = afterKey(typed, key)
  }
  return { typed }
}

const afterKey = (typed: string, key: string): string => {
  if (key === '\u007f' || key === '\b') return typed.replace(/.$/su, '')
  if (key === '\u0015') return ''
  return /\p{Cc}/u.test(key) ? typed : typed + key
}
