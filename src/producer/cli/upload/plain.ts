import { ended } from '../api/answers.ts'
import { line, type Output } from '../io.ts'
import { formatBytes, formatClock, formatPercent, formatSpeed } from '../terminal/format.ts'
import { printable } from '../terminal/text.ts'
import { endLine, type Display } from './display.ts'
import type { ProgressModel, Total } from './progress.ts'

interface Plain {
  readonly output: Output
  readonly progress: ProgressModel
  readonly everyMs?: number
}

/** A line for every change of state; every few seconds how far all are, and what they wait for. For logs and pipes. */
export const createPlain = ({ output, progress, everyMs = 5_000 }: Plain): Display => {
  const reasons = new Map<string, string>()
  const timer = setInterval(() => {
    const total = progress.total()
    if (total.ended === total.uploads) return
    line(output, totalText(total))
    for (const reason of new Set(reasons.values())) line(output, printable(`waits: ${reason}`))
  }, everyMs)
  return {
    see: (upload) => {
      const { waitingFor } = upload
      // Waiting for one's turn is what a queue is for.
      if (ended(upload.state) || waitingFor === undefined || waitingFor === 'turn') reasons.delete(upload.id)
      else reasons.set(upload.id, waitingFor)
      if (!progress.see(upload)) return
      const name = progress.one(upload.id)?.name ?? ''
      line(output, ended(upload.state) ? endLine(name, upload) : printable(`${name}  ${upload.state}`))
    },
    say: (text) => line(output, text.split('\n').map(printable).join('\n')),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** `3 of 12 done, 4 running, 45%, 120 MiB of 267 MiB, 3.1 MiB/s, 0:47 left`. */
export const totalText = (total: Total): string =>
  [
    `${total.ended} of ${total.uploads} done`,
    ...(total.failed > 0 ? [`${total.failed} failed`] : []),
    ...(total.running > 0 ? [`${total.running} running`] : []),
    ...(total.queued > 0 ? [`${total.queued} queued`] : []),
    formatPercent(total.fraction),
    `${formatBytes(total.sent)} of ${formatBytes(total.size)}`,
    formatSpeed(total.bytesPerSecond),
    ...(total.etaMs === undefined ? [] : [`${formatClock(total.etaMs)} left`]),
  ].join(', ')
