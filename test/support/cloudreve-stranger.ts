import { z } from 'zod'
import { driveUser, type Drive } from './cloudreve-service.ts'

const signedIn = z.object({ data: z.object({ token: z.object({ access_token: z.string() }) }) })

async function call(
  { fake }: Pick<Drive, 'fake'>,
  method: string,
  path: string,
  { json, token = '' }: { json: unknown; token?: string },
): Promise<unknown> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
  const answer = await fetch(`${fake.baseUrl}/api/v4${path}`, { method, headers, body: JSON.stringify(json) })
  return answer.json()
}

/**
 * Another client of the same user begins an upload of 10 bytes to `cloudreve://my/a.bin`, of a version if there is a
 * file, and goes no further.
 */
export async function beginElsewhere(drive: Pick<Drive, 'fake'>, type: '' | 'version' = ''): Promise<void> {
  const { data } = signedIn.parse(await call(drive, 'POST', '/session/token', { json: driveUser }))
  const uri = 'cloudreve://my/a.bin'
  const json = { uri, size: 10, last_modified: 0, policy_id: '', entity_type: type }
  const answer = await call(drive, 'PUT', '/file/upload', { json, token: data.token.access_token })
  const { code } = z.object({ code: z.number() }).parse(answer)
  if (code !== 0) throw new Error(`the other client was refused: ${JSON.stringify(answer)}`)
}
