import { calls } from './calls.ts'
import { testCall } from './matrix.ts'

testCall(calls.createVersion)
