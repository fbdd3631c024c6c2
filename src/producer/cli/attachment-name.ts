import { basename } from 'node:path'

/** The file name in a `content-disposition` header, as one that can be used in any folder; undefined if there is none. */
export const attachmentName = (header: string | undefined): string | undefined => {
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(header ?? '')?.[1]
  const plain = /filename="([^"]*)"/i.exec(header ?? '')?.[1]
  const name = harmless(decode(encoded) ?? plain ?? '')
  return name === '' ? undefined : name
}

const decode = (text: string | undefined): string | undefined => {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return undefined
  }
}

// The name was chosen at the other end: it must not lead to another folder, nor hide.
const harmless = (name: string): string =>
  basename(name.replaceAll('\\', '/'))
    .replaceAll(/\p{Cc}/gu, '_')
    .replace(/^\.+/, '')
