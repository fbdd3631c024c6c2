export { ownVersion } from '#shared/own-version.ts'
