import { cloudreve } from './cloudreve/form.ts'
import type { Form } from './form.ts'
import { vrchat } from './vrchat/form.ts'

/** How people are asked for each provider: one line each. */
export const forms: readonly Form[] = [vrchat, cloudreve]
