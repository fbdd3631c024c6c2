import type { App } from './context.ts'

export interface RouteTable {
  /** Methods that some route takes at this address. */
  readonly methodsOf: (url: string) => string[]
}

/** Remembers every route that is added from now on: the router only says that none fits. */
export function createRouteTable(app: App): RouteTable {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    // Static files match anything below them.
    if (!url.includes('*')) routes.push({ pattern: patternOf(url), methods: [method].flat() })
  })
  return {
    methodsOf: (url) => {
      const path = url.split('?')[0] ?? ''
      const methods = routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods)
      return [...new Set(methods)].toSorted()
    },
  }
}

function patternOf(url: string): RegExp {
  const segments = url.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : RegExp.escape(part)))
  return new RegExp(`^${segments.join('/')}$`)
}
