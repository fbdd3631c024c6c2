import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'

/** A server whose own failures become violations: they must not pass for the client's, nor be overlooked. */
export function serverFor(
  violations: string[],
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Server {
  const server = createServer((request, response) => {
    const { socket } = request
    serve(request, response).catch((error: unknown) => {
      violations.push(`the fake failed: ${error instanceof Error ? error.stack : String(error)}`)
      socket.destroy()
    })
  })
  // Slow uploads are part of the job, and a server that closes idle sockets makes tests flicker.
  server.requestTimeout = 0
  server.keepAliveTimeout = 120_000
  return server
}

/** Answers the origin; 0 takes any free port. */
export async function listen(server: Server, port: number): Promise<string> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return `http://127.0.0.1:${address.port}`
}

/** Cuts what is still connected. */
export async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
