import { testCloudreve } from './matrix.ts'

testCloudreve('chunk')
testCloudreve('lastChunk')
testCloudreve('part')
testCloudreve('range')
