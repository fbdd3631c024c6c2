import type { Redis } from 'ioredis'

import { type Refusal, refusalOf } from './refusal.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1_000

/**
 * Has each command that Redis refuses for now wait until it is taken, as one without a connection does, on
 * this connection and all that are made of it: nobody above has to know, and nothing is tried in a hot loop.
 * Nothing of a refused command was done, so sending it again is safe. Not for MULTI, where others are not
 * refused, nor where the order of commands matters that nobody waited for: later ones may come first. `told` is
 * called at each refusal of the first in line, and with `undefined` when all go on.
 */
export function waitForWrites(redis: Redis, told: (refusal: Refusal | undefined) => void): void {
  patch(redis, told)
}

type Command = Parameters<Redis['sendCommand']>[0]

function patch(redis: Redis, told: (refusal: Refusal | undefined) => void): void {
  const room = createWaitingRoom(told)
  const send = redis.sendCommand.bind(redis)
  const known = new WeakSet<Command>()
  redis.sendCommand = (command, stream) => {
    // Those that a lost connection left over come by again.
    if (redis.status === 'ready' && !known.has(command)) {
      known.add(command)
      keepUntilTaken(command, () => send(command), room)
    }
    return send(command, stream)
  }
  const duplicate = redis.duplicate.bind(redis)
  redis.duplicate = (override) => {
    const copy = duplicate(override)
    patch(copy, told)
    return copy
  }
}

function keepUntilTaken(command: Command, sendAgain: () => void, room: WaitingRoom): void {
  const { resolve, reject } = command
  let waiting: Waiting | undefined
  const refused = (error: Error): void => {
    const refusal = command.inTransaction ? undefined : refusalOf(error)
    if (refusal === undefined) {
      reject(error)
      if (waiting !== undefined) room.leave(waiting)
      return
    }
    waiting ??= {
      again: () => {
        // Scripts put something of their own around this each time they are sent.
        command.reject = refused
        sendAgain()
      },
    }
    room.enter(waiting, refusal)
  }
  command.reject = refused
  command.resolve = (value) => {
    resolve(value)
    if (waiting !== undefined) room.leave(waiting)
  }
}

interface Waiting {
  readonly again: () => void
}

interface WaitingRoom {
  readonly enter: (waiting: Waiting, refusal: Refusal) => void
  /** It was answered, whatever was said. */
  readonly leave: (waiting: Waiting) => void
}

/** Only the first one in line is tried again, with growing pauses; once it is answered, all others are. */
function createWaitingRoom(told: (refusal: Refusal | undefined) => void): WaitingRoom {
  const line = new Set<Waiting>()
  let first: Waiting | undefined
  let pauseMs = FIRST_PAUSE_MS

  const tryFirst = (waiting: Waiting): void => {
    first = waiting
    setTimeout(() => waiting.again(), pauseMs).unref()
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }

  return {
    enter: (waiting, refusal) => {
      if (first !== undefined && first !== waiting) {
        line.add(waiting)
        return
      }
      told(refusal)
      tryFirst(waiting)
    },
    leave: (waiting) => {
      if (first !== waiting) return
      first = undefined
      pauseMs = FIRST_PAUSE_MS
      told(undefined)
      const all = [...line]
      line.clear()
      for (const { again } of all) again()
    },
  }
}
