import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createApp } from '#producer/app.ts'
import { openToken, registerToken } from '#shared/data-dir.ts'
import { KIB, openService } from '../../support/service.ts'
import { asking, itemsOf, textOf, uploadBody } from './api.ts'

test('an upload goes from the request to the ledger, and every part shows its receipt', async () => {
  await using service = await openService()
  const { machine } = service
  const { config, boot, stores } = machine
  const token = await openToken(config.dataDir)
  await registerToken(boot.redis, { prefix: config.prefix, dataDir: config.dataDir, token })
  const app = await createApp({ stores, config, secrets: boot.secrets, log: pino({ level: 'silent' }) })
  const ask = asking(app, token)
  const bytes = Buffer.alloc(150 * KIB, 'world')
  const source = pathToFileURL(await machine.source('world.vrcw', bytes)).href
  const body = uploadBody(source, { partSize: 64 * KIB })

  const accepted = await ask('POST', '/v1/uploads', { body })
  const id = textOf(accepted.json['id'])
  await machine.until(id)
  const upload = await ask('GET', `/v1/uploads/${id}`)
  const parts = itemsOf(await ask('GET', `/v1/uploads/${id}/parts`))

  expect(upload.json).toMatchObject({
    state: 'completed',
    size: bytes.length,
    parts: { total: 4, done: 4 },
    attempts: 1,
    version: { number: 1, size: bytes.length, md5: createHash('md5').update(bytes).digest('hex') },
    error: null,
    waitingFor: null,
    endedAt: expect.any(String),
  })
  expect(parts.map(({ blob, number, bytes }) => [blob, number, bytes])).toEqual([
    ['file', 1, 64 * KIB],
    ['file', 2, 64 * KIB],
    ['file', 3, 22 * KIB],
    ['signature', 1, expect.any(Number)],
  ])
  for (const { etag, md5 } of parts) expect(textOf(etag).replaceAll('"', '')).toBe(md5)

  const remoteId = itemsOf(await ask('GET', '/v1/accounts/main/files'))[0]?.['id']
  const byId = await ask('GET', `/v1/versions?account=main&destination=${textOf(remoteId)}`)
  const byName = await ask('GET', '/v1/versions?account=main&destination=A%20world')
  expect(itemsOf(byId)).toEqual([expect.objectContaining({ upload: id, remoteId, number: 1 })])
  expect(itemsOf(byName)).toEqual(itemsOf(byId))

  expect((await ask('POST', `/v1/uploads/${id}/retry`)).status).toBe(409)
  expect((await ask('POST', `/v1/uploads/${id}/cancel`)).status).toBe(409)
  await app.close()
})
