import { likeS3 } from './like-s3.ts'

/** cloudreve/frontend:src/component/Uploader/core/uploader/s3.ts@19da0fe */
export const s3 = likeS3('s3')
