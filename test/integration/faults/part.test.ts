import { calls } from './calls.ts'
import { testCall } from './matrix.ts'
import { partTroubles } from './troubles.ts'

testCall(calls.part, partTroubles)
