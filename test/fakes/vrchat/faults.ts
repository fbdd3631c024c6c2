import { z } from 'zod'
import { createFaults, type FaultRule as Rule } from '../http/faults.ts'
import { operations } from './ledger.ts'

const vocabulary = {
  operation: z.enum(operations),
  where: z.strictObject({
    user: z.string().optional(),
    fileId: z.string().optional(),
    version: z.int().optional(),
    fileType: z.string().optional(),
    partNumber: z.int().optional(),
  }),
}

export type FaultRule = Rule<
  z.output<(typeof vocabulary)['operation']>,
  z.output<(typeof vocabulary)['where']>
>

export const createVrchatFaults = () => createFaults(vocabulary)
