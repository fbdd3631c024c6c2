import { calls } from './calls.ts'
import { testCall } from './matrix.ts'
import { finishTroubles } from './troubles.ts'

testCall(calls.finishSignature, finishTroubles)
