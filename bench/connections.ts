import { readFile } from 'node:fs/promises'

const ESTABLISHED = '01'

/**
 * The local ports of this machine's open connections to a port of 127.0.0.1. Asked of the kernel: a server that
 * reads slowly sees late that its client has gone.
 */
export async function connectionsTo(port: number): Promise<readonly number[]> {
  const lines = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n').slice(1)
  return lines.flatMap((line) => {
    const [, local = '', remote = '', state] = line.trim().split(/\s+/)
    return state === ESTABLISHED && portOf(remote) === port ? [portOf(local)] : []
  })
}

/** `0100007F:1F90` */
const portOf = (address: string): number => Number.parseInt(address.slice(-4), 16)
