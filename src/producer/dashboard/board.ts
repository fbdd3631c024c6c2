import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { UIConfig } from '@bull-board/api/typings/app'
import { FastifyAdapter } from '@bull-board/fastify'
import type { Queues } from '#shared/queues.ts'
import { redact } from '#shared/secrets.ts'

const POLL_S = 5

/** The queues as bull-board shows them: to look at, never to change, as its buttons would go round the records. */
export function createBoard(path: string, { queues }: { readonly queues: Queues }): FastifyAdapter {
  const serverAdapter = new FastifyAdapter().setBasePath(path)
  createBullBoard({
    queues: [
      new BullMQAdapter(queues.uploads, {
        readOnlyMode: true,
        displayName: 'Uploads',
        description: 'One job per running upload',
      }),
      new BullMQAdapter(queues.parts, {
        readOnlyMode: true,
        displayName: 'Parts',
        description: 'They stand under their upload',
      }),
    ],
    serverAdapter,
    options: {
      uiConfig: uiConfig(path),
      handlerHooks: {
        // Whatever an adapter forgets to refuse.
        before: ({ method }) => ({
          allow: method === 'get',
          status: 405,
          message: 'The dashboard only shows',
        }),
        // All of the answer: failure reasons, logs and options have no formatter of their own.
        after: (_, result) => ({ ...result, body: redacted(result.body) }),
      },
    },
  })
  return serverAdapter
}

const uiConfig = (path: string): UIConfig => ({
  boardTitle: 'Stevedore',
  hideRedisDetails: true,
  hideDocsLink: true,
  // Would ask Redis for all its clients on every poll.
  showWorkers: false,
  showMetrics: false,
  pollingInterval: { showSetting: true, forceInterval: POLL_S },
  miscLinks: [
    { text: 'API', url: '/docs' },
    { text: 'Log out', url: `${path}/logout` },
  ],
})

function redacted<T>(body: T): T {
  // The same JSON but for the texts: redaction keeps quotes where they are.
  const same: T = JSON.parse(redact(JSON.stringify(body)))
  return same
}
