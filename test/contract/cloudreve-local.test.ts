import { testTransport } from './transport.ts'

testTransport('local')
