import { testTransport } from './transport.ts'

testTransport('relay')
