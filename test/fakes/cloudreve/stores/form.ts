/** What is before the body of a member of a form. */
export interface FormMember {
  readonly name: string
  readonly filename: string | undefined
}

/** Thrown for what is no proper `multipart/form-data`. */
export class MalformedForm extends Error {
  override name = 'MalformedForm'
}

/** The members of a form one after the other; each body has to be read to its end before the next is asked for. */
export async function* formMembers(
  source: AsyncIterable<Buffer>,
  contentType: string | undefined,
): AsyncGenerator<FormMember & { body: AsyncIterable<Buffer> }> {
  const [, quoted, plain] =
    /^multipart\/form-data;\s*boundary=(?:"([^"]+)"|([^\s;]+))$/i.exec(contentType ?? '') ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined) throw new MalformedForm('no multipart/form-data')
  const scan = createScanner(source)
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  if ((await text(scan.until(delimiter))) !== '') throw new MalformedForm('something before the first member')
  for (;;) {
    const line = await text(scan.until(Buffer.from('\r\n')))
    if (line === '--') return
    if (line !== '') throw new MalformedForm('something after a boundary')
    const head = await text(scan.until(Buffer.from('\r\n\r\n')))
    yield { ...parseHead(head), body: scan.until(delimiter) }
  }
}

/** The whole of a body that is known to be small. */
export async function text(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

interface Scanner {
  /** What comes before the mark, as it comes; the mark itself is skipped. */
  until: (mark: Buffer) => AsyncGenerator<Buffer>
}

function createScanner(source: AsyncIterable<Buffer>): Scanner {
  const chunks = source[Symbol.asyncIterator]()
  // As if a line had ended before: then the first boundary looks like every other.
  let rest = Buffer.from('\r\n')

  async function* until(mark: Buffer): AsyncGenerator<Buffer> {
    for (let at = rest.indexOf(mark); ; at = rest.indexOf(mark)) {
      // Of what is too short to hold the mark, the end may be its beginning.
      const sure = at >= 0 ? at : Math.max(0, rest.length - mark.length + 1)
      const before = rest.subarray(0, sure)
      rest = rest.subarray(at >= 0 ? at + mark.length : sure)
      if (before.length > 0) yield before
      if (at >= 0) return
      const next = await chunks.next()
      if (next.done === true) throw new MalformedForm('it ends in the middle')
      rest = Buffer.concat([rest, next.value])
    }
  }

  return { until }
}

function parseHead(head: string): FormMember {
  const [, disposition] = /^content-disposition: form-data;(.*)$/im.exec(head) ?? []
  const [, name] = /[; ]name="([^"]*)"/.exec(disposition ?? '') ?? []
  const [, filename] = /[; ]filename="([^"]*)"/.exec(disposition ?? '') ?? []
  if (name === undefined) throw new MalformedForm('a member without a name')
  return { name, filename }
}
