import { resolve } from 'node:path'

/** A file of the checkout, wherever the program was started. */
export const script = (path: string): string => resolve(import.meta.dirname, '../../..', path)
