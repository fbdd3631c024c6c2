import { testCloudreve } from './matrix.ts'

testCloudreve('login')
testCloudreve('refresh')
testCloudreve('info')
