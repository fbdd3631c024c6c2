import type { TransportName } from '../session.ts'
import { cos } from './cos.ts'
import { ks3 } from './ks3.ts'
import { local } from './local.ts'
import { obs } from './obs.ts'
import { onedrive } from './onedrive.ts'
import { oss } from './oss.ts'
import { qiniu } from './qiniu.ts'
import { relay } from './relay.ts'
import { remote } from './remote.ts'
import { s3 } from './s3.ts'
import type { Transport } from './transport.ts'
import { upyun } from './upyun.ts'

/** One for each kind of storage policy; nothing has to be sent of an empty file. */
export const transports: Readonly<Record<Exclude<TransportName, 'empty'>, Transport>> = {
  local,
  relay,
  remote,
  s3,
  ks3,
  oss,
  cos,
  obs,
  onedrive,
  qiniu,
  upyun,
}
