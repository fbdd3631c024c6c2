import type { Field, Options } from '#shared/providers/form.ts'
import type { OptionsOf } from './forms.ts'

/** Flags of `account add`: a plain field has one for its value, a secret one only for where it comes from. */
export const accountOptions: OptionsOf = ({ account: { notice, fields, settings } }) => ({
  ...(notice && { [notice.flag]: { kind: 'toggle', help: notice.help } }),
  ...optionsOfFields(fields),
  ...settings,
})

/** Flags of `account login` for a login made elsewhere. */
export const importOptions: OptionsOf = ({ account: { fields } }) =>
  optionsOfFields(fields.filter(({ by }) => by === 'import'))

const optionsOfFields = (fields: readonly Field[]): Options =>
  Object.assign({}, ...fields.map((field) => (field.isSecret ? secretOptions(field) : plainOption(field))))

const plainOption = (field: Field): Options => ({
  [field.flag]: { kind: 'text', value: field.value ?? 'TEXT', help: `${field.help}${elsewhere(field)}` },
})

const secretOptions = (field: Field): Options => ({
  ...(field.by === 'import' && {
    [field.flag]: { kind: 'toggle', help: `with ${field.help} of a login made elsewhere, not a password` },
  }),
  [stdinFlag(field)]: {
    kind: 'toggle',
    help: `read ${field.help} from standard input${elsewhere(field)}`,
  },
})

/** The flag that takes a secret from standard input. */
export const stdinFlag = ({ flag }: Field): string => `${flag}-stdin`

const elsewhere = ({ is }: Field): string => `; else ${is === 'given' ? 'none' : 'asked for'}`
