import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const LAST = 8

const entry = z.looseObject({ msg: z.string() })

/** The last lines of a process's log as a person would read them: no JSON, no stack traces. */
export async function lastWords(log: string): Promise<string[]> {
  const text = await readFile(log, 'utf8')
  return readable(text).slice(-LAST)
}

function readable(text: string): string[] {
  return text
    .replaceAll(quotedSource, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !isNoise(line))
    .map(messageOf)
}

/** What Node prints before an error that nobody caught: the place, the line there, and a mark below it. */
const quotedSource = /^(file|node|\/).*:\d+\n.*\n *\^+\n/gm

const isNoise = (line: string): boolean => /^\s+at |^Node\.js v/.test(line)

function messageOf(line: string): string {
  try {
    return entry.parse(JSON.parse(line)).msg
  } catch {
    return line
  }
}
