import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { SwaggerTransformObject } from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { App } from '../context.ts'

const description = `Takes files and gets every one of them to its provider, through crashes, restarts, rate limits and expired logins.

Every request needs the header \`Authorization: Bearer <token>\`, with the token of the data directory. Refusals are \`application/problem+json\`, with a path for each field that can not be used. 503 comes with \`Retry-After\`.`

/** Must come before the routes that it documents. */
export async function documentRoutes(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Stevedore', version, description },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
      tags: [
        { name: 'uploads', description: 'One source to one destination' },
        { name: 'accounts', description: 'Logins at providers, with their limits' },
        { name: 'versions', description: 'The ledger of what arrived' },
        { name: 'files', description: "The provider's own files" },
        { name: 'health' },
      ],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withoutInputs(jsonSchemaTransformObject(document)),
  })
}

type OpenApi = ReturnType<SwaggerTransformObject>

/** Every named schema comes out twice; ours are all of answers, so what they would be in a request is left out. */
function withoutInputs(document: OpenApi): OpenApi {
  if (!('components' in document)) return document
  const { schemas = {} } = document.components ?? {}
  const kept = Object.entries(schemas).filter(([name]) => !name.endsWith('Input'))
  // Only the components change, so it stays the kind of document that it is.
  return Object.assign(document, {
    components: { ...document.components, schemas: Object.fromEntries(kept) },
  })
}

/** The description of the API for programs, and a page of it for people. Both are open to everybody. */
export async function docsRoutes(app: App): Promise<void> {
  app.get('/openapi.json', { config: { access: 'open' }, schema: { hide: true } }, async () => app.swagger())
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'open' }
    })
    await docs.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { docExpansion: 'list', layout: 'BaseLayout' },
      theme: { title: 'Stevedore API' },
      staticCSP: true,
      // Without TLS in front, the browser would look for the page's own files where nobody listens.
      transformStaticCSP: (header) =>
        header.replace(/ upgrade-insecure-requests;?/, '').replaceAll(' https:', ''),
    })
  })
}
