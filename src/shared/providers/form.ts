/** One thing that a person may set, as data: what it takes, and what it is for. Bytes and ms where it is an amount. */
export type Option = { readonly help: string } & (
  | { readonly kind: 'toggle' }
  | { readonly kind: 'text' | 'list'; readonly value: string }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'bytes' | 'time' }
)

/** By the name of the flag. Providers that share a name mean the same kind of thing by it. */
export type Options = Readonly<Record<string, Option>>

type ValueOf<Of extends Option> = Of extends { readonly kind: 'toggle' }
  ? boolean
  : Of extends { readonly kind: 'list' }
    ? readonly string[] | undefined
    : Of extends { readonly kind: 'bytes' | 'time' }
      ? number | undefined
      : string | undefined

/** What was given for each of these options. */
export type Given<Of extends Options> = { readonly [Name in keyof Of]: ValueOf<Of[Name]> }

/** What was given for all options of a command, whoever's they are. */
export type AllGiven = Readonly<Record<string, unknown>>

/** A file to upload: as a person wrote it, and its base name. */
export interface NamedFile {
  readonly file: string
  readonly name: string
}

/** What a provider wants to know about an upload. */
export interface UploadForm {
  readonly options: Options
  /** Why these files can not be uploaded like this, if so. */
  readonly problem: (given: AllGiven, files: readonly NamedFile[]) => string | undefined
  /** The provider's own part of the request. Called only where there is no problem. */
  readonly request: (given: AllGiven, file: NamedFile) => Readonly<Record<string, unknown>>
  /** All files go to one place, as versions of one another: they are handed over in order. */
  readonly isOnePlace: (given: AllGiven) => boolean
  /** Who decides how a file is cut, where that is not known beforehand. */
  readonly cutBy?: string
}

interface UploadFormOf<Of extends Options> extends Pick<UploadForm, 'cutBy'> {
  readonly options: Of
  readonly problem: (given: Given<Of>, files: readonly NamedFile[]) => string | undefined
  readonly request: (given: Given<Of>, file: NamedFile) => Readonly<Record<string, unknown>>
  readonly isOnePlace: (given: Given<Of>) => boolean
}

/** Forgets which options a form has, so that forms of all providers have one type. */
export const defineUpload = <const Of extends Options>(form: UploadFormOf<Of>): UploadForm => {
  // Values are read by the kinds of these very options, and others that stand beside them do no harm.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const own = (given: AllGiven): Given<Of> => given as Given<Of>
  return {
    ...form,
    problem: (given, files) => form.problem(own(given), files),
    request: (given, file) => form.request(own(given), file),
    isOnePlace: (given) => form.isOnePlace(own(given)),
  }
}

/** One thing that a provider wants to know about an account. */
export interface Field {
  /** In the request. */
  readonly name: string
  /** Without dashes. A secret is never given by a flag: its flag says where it comes from. */
  readonly flag: string
  readonly help: string
  /** What stands for it in the help, unless it is a secret. */
  readonly value?: string
  /** What a person is asked. */
  readonly question: string
  /** Where it may be given without a person. */
  readonly env?: string
  readonly isSecret?: true
  /** Belongs to one way of logging in only: with a password, or with a login made elsewhere. */
  readonly by?: 'password' | 'import'
  /** `needed`: asked for. `wanted`: asked for, and may be left empty. `given`: not asked for. */
  readonly is: 'needed' | 'wanted' | 'given'
}

/** What has to be known and agreed to before an account is added. */
export interface Notice {
  readonly text: string
  readonly flag: string
  readonly help: string
  /** In the request, as `true`. */
  readonly name: string
}

/** A code that confirms a login. */
export interface CodeForm {
  readonly question: string
  /** Made for one login, and of no use to the next. */
  readonly isSent?: true
  /** Can be tried once: when it was wrong, the login begins anew. */
  readonly isOnce?: true
}

/** What a provider wants to know about an account. */
export interface AccountForm {
  readonly notice?: Notice
  /** In the order of the questions, which is that of the lines of standard input. */
  readonly fields: readonly Field[]
  /** Settings; `name` is the one in the request. */
  readonly settings: Readonly<Record<string, Option & { readonly name: string }>>
  /** The methods by which a login may be confirmed; the usual one first. */
  readonly codes: Readonly<Record<string, CodeForm>>
  readonly codeEnv: string
}

/** What is at the provider already. */
export interface RemoteForm {
  /** How a list may be narrowed. */
  readonly list: Options
  /** What a folder is, at a provider that has any. */
  readonly folder?: string
  /** Whether this is how the provider names a file. */
  readonly isFile: (name: string) => boolean
  /** What such a name looks like. */
  readonly looks: string
  /** A version as it was written, or what it must be. */
  readonly readVersion: (written: string) => { readonly version: number | string } | { readonly must: string }
}

/** Commands whose help shows how this provider is used. */
export type ExampleOf = 'account add' | 'upload' | 'versions' | 'files' | 'download' | 'delete'

/** How people are asked for what a provider needs: data and small functions, so that it is there at once. */
export interface Form {
  readonly provider: string
  readonly account: AccountForm
  readonly upload: UploadForm
  readonly remote: RemoteForm
  readonly examples: Readonly<Record<ExampleOf, readonly string[]>>
}
