import { likeS3 } from './like-s3.ts'

/** As S3, with one more header. cloudreve/frontend:src/component/Uploader/core/uploader/cos.ts@19da0fe */
export const cos = likeS3('cos', { 'x-cos-forbid-overwrite': 'true' })
