import { testCloudreve } from './matrix.ts'

testCloudreve('create')
testCloudreve('delete')
