import { calls } from './calls.ts'
import { testCall } from './matrix.ts'
import { firewallForEver } from './troubles.ts'

testCall(calls.createFile, [firewallForEver])
