import { testCloudreve } from './matrix.ts'

testCloudreve('complete')
testCloudreve('callback')
testCloudreve('callbackOfOneDrive')
