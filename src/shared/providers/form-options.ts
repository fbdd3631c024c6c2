import type { NamedFile, Option } from './form.ts'

/** What several providers ask in the same words. */
export const onUnchanged = {
  kind: 'choice',
  choices: ['skip', 'upload'],
  help: 'what to do with a file that is there already; skip unless given',
} as const satisfies Option

export const verify = {
  kind: 'choice',
  choices: ['download'],
  help: 'read the bytes back when all is done, and compare',
} as const satisfies Option

export const onForeign = {
  kind: 'choice',
  choices: ['wait', 'delete', 'fail'],
  help: "when somebody else's upload is unfinished there; wait unless given",
  name: 'onForeign',
} as const

export const foreignWait = {
  kind: 'time',
  help: 'how long such an upload is waited for, such as 2h; as is usual at the provider unless given',
  name: 'foreignWaitMs',
} as const

export const etagCheck = {
  kind: 'choice',
  choices: ['strict', 'opaque'],
  help: 'opaque for storage whose ETags are no MD5s; strict unless given',
  name: 'etagCheck',
} as const

/** The first two files that would end up under one name. */
export const findSameName = (
  files: readonly NamedFile[],
  nameOf: (file: NamedFile) => string,
): { readonly name: string; readonly files: readonly [string, string] } | undefined => {
  const seen = new Map<string, string>()
  for (const named of files) {
    const name = nameOf(named)
    const other = seen.get(name)
    if (other !== undefined) return { name, files: [other, named.file] }
    seen.set(name, named.file)
  }
  return undefined
}
