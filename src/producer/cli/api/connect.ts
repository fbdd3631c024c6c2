import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { loadConfig, type Config } from '#shared/config.ts'
import { UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { createApi, type Api } from './client.ts'

interface Given {
  readonly url: string | undefined
  readonly 'token-file': string | undefined
  readonly 'data-dir': string | undefined
}

/** Where the service is, and what it knows us by. */
export interface Address {
  readonly url: string
  /** Absent when there is none yet: the service was never started with this data directory. */
  readonly token?: string
  /** Where the token comes from, or would come from. */
  readonly tokenFrom: string
}

/** The client for the service that flags and environment mean. Throws `UsageError` when they make no sense. */
export const connect = (given: Given, io: Pick<Io, 'env' | 'signal'>): Api => {
  let address: Address | undefined
  // Found at the first request: commands that send none need neither settings nor token.
  const find = (): Address => (address ??= findAddress(given, io.env))
  return createApi(find, io.signal)
}

export const findAddress = (given: Given, env: Io['env']): Address => {
  const config = settingsOf(given, env)
  return { url: urlOf(given.url, config), ...tokenOf(given['token-file'], config) }
}

const settingsOf = (given: Given, env: Io['env']): Config => {
  const dataDir = given['data-dir']
  try {
    return loadConfig({ ...env, ...(dataDir !== undefined && { STEVEDORE_DATA_DIR: dataDir }) }, 'cli')
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

const urlOf = (given: string | undefined, { host, port }: Config): string => {
  if (given === undefined) return `http://${hostName(host)}:${port}`
  const url = URL.parse(given)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new UsageError('--url is an address such as http://127.0.0.1:7070')
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new UsageError('--url is scheme, host, port and path only: no user, no query')
  }
  return url.href.replace(/\/+$/, '')
}

/** A service that listens on all addresses is here. */
const hostName = (host: string): string => {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

const tokenOf = (file: string | undefined, { token, dataDir }: Config): Omit<Address, 'url'> => {
  if (file !== undefined) {
    const path = resolve(file)
    return { token: checked(readToken(path), path), tokenFrom: path }
  }
  if (token !== undefined) return { token, tokenFrom: 'STEVEDORE_TOKEN' }
  const tokenFrom = join(dataDir, 'token')
  try {
    return { token: checked(readToken(tokenFrom), tokenFrom), tokenFrom }
  } catch (error) {
    if (error instanceof UsageError && isAbsent(error.cause)) return { tokenFrom }
    throw error
  }
}

const readToken = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new UsageError(`The token can not be read from ${path} (${why})`, { cause: error })
  }
}

const checked = (token: string, path: string): string => {
  // What a header can carry; a wrong file, such as a key or a picture, is not sent anywhere.
  if (/^[\x21-\x7e]{16,512}$/.test(token)) return token
  throw new UsageError(`${path} holds no token: it is one line of 16 or more printable characters`)
}

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
