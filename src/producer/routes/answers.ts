import type { FastifyReply } from 'fastify'
import { z } from 'zod'
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

export async function sendProblem(reply: FastifyReply, problem: Problem): Promise<FastifyReply> {
  return reply.code(problem.status).headers(problem.headers).type(PROBLEM_TYPE).send(problem.body)
}
