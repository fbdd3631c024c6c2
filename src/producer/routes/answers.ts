import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { z } from 'zod'
import { problemOf } from '../failures.ts'
import { type Problem, PROBLEM_TYPE, problemBody } from '../problem.ts'

const refusal = (description: string) => ({
  description,
  content: { [PROBLEM_TYPE]: { schema: problemBody } },
})

/** What every route may answer beside its success. */
export const refusals = {
  '4xx': refusal('The request was refused'),
  '5xx': refusal('Redis or the provider is away, or something went wrong here'),
}

export const noContent = z.null().meta({ description: 'Done' })

/** Answers whatever was thrown; what nobody foresaw is in the log. */
export const createErrorHandler =
  (log: Logger) =>
  (error: unknown, { method, routeOptions, socket }: FastifyRequest, reply: FastifyReply): void => {
    const problem = problemOf(error)
    // What was under way for a caller who went away fails by that alone.
    if (problem.status === 500 && !socket.destroyed) {
      log.error({ err: problem.cause, method, route: routeOptions.url }, 'a request failed')
    }
    void sendProblem(reply, problem)
  }

export async function sendProblem(reply: FastifyReply, problem: Problem): Promise<FastifyReply> {
  return reply.code(problem.status).headers(problem.headers).type(PROBLEM_TYPE).send(problem.body)
}
