import { expect, test } from 'vitest'
import { completionXml, readXml } from '#shared/providers/cloudreve/transports/s3-xml.ts'

test('the list of parts has each ETag as it came, its quotes escaped', () => {
  expect(completionXml([{ etag: '"a"' }, { etag: '"b-2&<"' }])).toBe(
    '<CompleteMultipartUpload>' +
      '<Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>' +
      '<Part><PartNumber>2</PartNumber><ETag>&quot;b-2&amp;&lt;&quot;</ETag></Part>' +
      '</CompleteMultipartUpload>',
  )
})

test('one part is a list as well', () => {
  expect(completionXml([{ etag: '"a"' }])).toBe(
    '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part></CompleteMultipartUpload>',
  )
})

test.each([
  [
    'an error',
    '<Error><Code>NoSuchUpload</Code><Message>a &amp; b</Message></Error>',
    'Error',
    'NoSuchUpload',
  ],
  [
    'white space before it',
    '<?xml version="1.0"?>\n\n  <Error><Code>SlowDown</Code></Error>',
    'Error',
    'SlowDown',
  ],
  ['a namespace', '<Error xmlns="x"><Code>A</Code></Error>', 'Error', 'A'],
  ['a code of digits', '<Error><Code>007</Code></Error>', 'Error', '007'],
  ['no code', '<Error/>', 'Error', ''],
  ['two codes', '<Error><Code>A</Code><Code>B</Code></Error>', 'Error', ''],
  [
    'a result',
    '<CompleteMultipartUploadResult><Code>x</Code></CompleteMultipartUploadResult>',
    'CompleteMultipartUploadResult',
    '',
  ],
  ['a page', '<!DOCTYPE html><html><body><Code>x</Code></body></html>', 'html', ''],
  ['JSON', '{"code":1}', '', ''],
  ['nothing', '', '', ''],
  ['a text that was cut', '<Error><Code>A', 'Error', ''],
])('%s is read', (_, text, root, code) => {
  expect(readXml(text)).toMatchObject({ root, code })
})

test('a message comes as it was meant', () => {
  expect(readXml('<Error><Message>Request has expired &lt;now&gt;</Message></Error>').message).toBe(
    'Request has expired <now>',
  )
})
