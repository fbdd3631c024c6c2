import { once } from 'node:events'
import { type Socket, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Called before a command goes on to Redis; it goes on when the answer resolves, unless the connection was cut
 * by then. `n` counts from 1 over all connections, from the last `reset` on. `name` is in upper case.
 */
export type OnCommand = (n: number, name: string, args: readonly string[]) => void | Promise<void>

export interface RedisProxy extends AsyncDisposable {
  readonly url: string
  readonly count: () => number
  /** Counts from 1 again, and calls `onCommand` from now on. */
  readonly reset: (onCommand?: OnCommand) => void
  /** Breaks all connections; new ones are accepted. What was forwarded before still takes effect. */
  readonly cut: () => void
  /** Each command waits this long before it goes on. */
  readonly delay: (ms: number) => void
  /** Breaks all connections and each new one at once, until `accept`. */
  readonly refuse: () => void
  readonly accept: () => void
  /** Commands reach Redis, but no answer comes back any more, until `cut` or `answer`. Lost ones stay lost. */
  readonly loseReplies: () => void
  readonly answer: () => void
  /** Nothing goes either way any more, and nobody is told, until `heal`: then all that was held goes on. */
  readonly part: () => void
  readonly heal: () => void
}

interface Behaviour {
  onCommand: OnCommand
  count: number
  delayMs: number
  refusing: boolean
  losingReplies: boolean
  parted: PromiseWithResolvers<void> | undefined
}

/** A TCP proxy in front of the Redis at `target` that counts, delays, loses and cuts. */
export async function startRedisProxy(target: string, onCommand: OnCommand = () => {}): Promise<RedisProxy> {
  const behaviour: Behaviour = {
    onCommand,
    count: 0,
    delayMs: 0,
    refusing: false,
    losingReplies: false,
    parted: undefined,
  }
  const sockets = new Set<Socket>()
  const cut = () => {
    behaviour.losingReplies = false
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((client) => {
    if (behaviour.refusing) client.destroy()
    else join(client, { target: new URL(target), behaviour, sockets })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: urlBehind(target, server.address()),
    count: () => behaviour.count,
    reset: (next = () => {}) => Object.assign(behaviour, { count: 0, onCommand: next }),
    cut,
    delay: (ms) => void (behaviour.delayMs = ms),
    refuse: () => {
      behaviour.refusing = true
      cut()
    },
    accept: () => void (behaviour.refusing = false),
    loseReplies: () => void (behaviour.losingReplies = true),
    answer: () => void (behaviour.losingReplies = false),
    part: () => void (behaviour.parted ??= Promise.withResolvers<void>()),
    heal: () => {
      behaviour.parted?.resolve()
      behaviour.parted = undefined
    },
    [Symbol.asyncDispose]: async () => {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}

function urlBehind(target: string, address: ReturnType<ReturnType<typeof createServer>['address']>): string {
  if (address === null || typeof address === 'string') throw new Error('The proxy does not listen')
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(address.port)
  return url.href
}

interface Joint {
  readonly target: URL
  readonly behaviour: Behaviour
  readonly sockets: Set<Socket>
}

function join(client: Socket, { target, behaviour, sockets }: Joint): void {
  const upstream = connect({ host: target.hostname, port: Number(target.port || 6379), noDelay: true })
  client.setNoDelay(true)
  sockets.add(client)
  for (const socket of [client, upstream]) socket.on('error', () => {})
  client.on('close', () => {
    sockets.delete(client)
    // Not destroyed: that would take back what was forwarded a moment ago, before Redis has read it.
    upstream.end()
  })
  upstream.on('close', () => client.destroy())
  const answer = async (before: Promise<void>, reply: Buffer): Promise<void> => {
    await before
    await behaviour.parted?.promise
    if (!behaviour.losingReplies && !client.destroyed) client.write(reply)
  }
  let answered = Promise.resolve()
  upstream.on('data', (reply) => {
    answered = answer(answered, reply)
  })
  // Cut connections end the loop with an error, which is what was asked for.
  forward(client, upstream, behaviour).catch(() => client.destroy())
}

async function forward(client: Socket, upstream: Socket, behaviour: Behaviour): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  // A Socket without an encoding gives Buffers; its type says `any`.
  for await (const chunk of client as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk])
    for (let command = readCommand(rest); command !== undefined; command = readCommand(rest)) {
      behaviour.count++
      const [name = '', ...args] = command.words
      await behaviour.onCommand(behaviour.count, name.toUpperCase(), args)
      if (behaviour.delayMs > 0) await sleep(behaviour.delayMs)
      await behaviour.parted?.promise
      if (client.destroyed) return
      upstream.write(rest.subarray(0, command.length))
      rest = rest.subarray(command.length)
    }
  }
}

interface Command {
  readonly words: readonly string[]
  /** How many bytes it takes on the wire. */
  readonly length: number
}

/** The first whole command in the bytes: an array of bulk strings, the only form that client libraries send. */
function readCommand(bytes: Buffer): Command | undefined {
  const head = readLine(bytes, 0)
  if (head === undefined) return undefined
  if (!head.text.startsWith('*')) throw new Error(`Not a command: ${head.text.slice(0, 20)}`)
  const words: string[] = []
  let at = head.end
  for (let left = Number(head.text.slice(1)); left > 0; left--) {
    const size = readLine(bytes, at)
    if (size === undefined) return undefined
    const end = size.end + Number(size.text.slice(1))
    if (bytes.length < end + 2) return undefined
    words.push(bytes.toString('utf8', size.end, end))
    at = end + 2
  }
  return { words, length: at }
}

function readLine(bytes: Buffer, start: number): { readonly text: string; readonly end: number } | undefined {
  const end = bytes.indexOf('\r\n', start)
  return end === -1 ? undefined : { text: bytes.toString('latin1', start, end), end: end + 2 }
}
