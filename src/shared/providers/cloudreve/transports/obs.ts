import { Blamed } from '#shared/errors.ts'
import type { Work } from '../deps.ts'
import { standingOf } from '../standing.ts'
import { putListed } from './like-s3.ts'
import { sendMultipartPart } from './multipart-part.ts'
import { tellSite } from './tell-site.ts'
import type { Completing, Transport } from './transport.ts'
import { unlessComplete } from './uncertain.ts'

/**
 * OBS tells the site by itself, as the URL says that completes the upload; when that was in vain, we do, once.
 * cloudreve/frontend:src/component/Uploader/core/uploader/obs.ts@19da0fe
 */
export const obs: Transport = {
  sendChunk: (work, chunk) => sendMultipartPart(work, chunk, { needsEtag: true }),
  complete: (work, completing) => completeObs(work, completing),
}

const completeObs = async (work: Work, completing: Completing): Promise<void> => {
  const { state } = completing
  const doubt = await putListed(work, completing, { tellable: true })
  // The site looks at no object of OBS: told of one that is not there, it would show it.
  if (doubt !== undefined) return unlessComplete(work, state, doubt)
  if ((await standingOf(work, state)).kind === 'complete') return
  await tellSite(work, completing, { kind: 'obs', method: 'POST' })
  return unlessComplete(work, state, stillUnfinished())
}

const stillUnfinished = (): Blamed =>
  new Blamed('The site was told that OBS has the whole file, and shows it as unfinished', 'unconfirmed')
