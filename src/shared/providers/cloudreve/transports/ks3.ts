import { likeS3 } from './like-s3.ts'

/** As S3, but for its callback. cloudreve/frontend:src/component/Uploader/core/uploader/ks3.ts@19da0fe */
export const ks3 = likeS3('ks3')
