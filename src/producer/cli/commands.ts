import type { Command } from './command.ts'
import { accountAdd } from './commands/account-add.ts'
import { accountList } from './commands/account-list.ts'
import { accountLogin } from './commands/account-login.ts'
import { accountRemove } from './commands/account-remove.ts'
import { accountShow } from './commands/account-show.ts'
import { cancel } from './commands/cancel.ts'
import { deleteCommand } from './commands/delete.ts'
import { download } from './commands/download.ts'
import { files } from './commands/files.ts'
import { list } from './commands/list.ts'
import { retry } from './commands/retry.ts'
import { status } from './commands/status.ts'
import { uploadCommand } from './commands/upload.ts'
import { versions } from './commands/versions.ts'

/** Every command: one line each, in the order of the help. */
export const commands: readonly Command[] = [
  accountAdd,
  accountLogin,
  accountList,
  accountShow,
  accountRemove,
  uploadCommand,
  status,
  list,
  cancel,
  retry,
  versions,
  files,
  download,
  deleteCommand,
]
