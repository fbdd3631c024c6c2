import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const LAST = 8

const entry = z.looseObject({ msg: z.string() })

/** The last lines of a process's log as a person would read them: no JSON, no stack traces. */
export async function lastWords(log: string): Promise<string[]> {
  const text = await readFile(log, 'utf8')
  return readable(text).slice(-LAST)
}

export function readable(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !isNoise(line))
    .map(messageOf)
}

/** Stack frames, and what Node prints around an error that nobody caught. */
const isNoise = (line: string): boolean =>
  /^\s+at |^(file|node):|^\s*\^+$|^Node\.js v|^\s*throw |^}$/.test(line)

function messageOf(line: string): string {
  try {
    return entry.parse(JSON.parse(line)).msg
  } catch {
    return line
  }
}
