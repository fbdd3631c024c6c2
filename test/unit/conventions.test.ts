import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { variableNames } from '#shared/config.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const scripts = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json'))).scripts

test('every provider passes the contract suite', () => {
  const providers = readdirSync(join(root, 'src/shared/providers'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

  expect(providers).toContain('vrchat')
  for (const name of providers) expect(read(`test/contract/${name}.test.ts`)).toContain('testProvider(')
})

test.each(['README.md', 'docs/architecture.md', 'docs/adding-a-provider.md', 'docs/vrchat.md'])(
  'every path in %s exists',
  (page) => {
    const text = read(page)
    const paths = [...text.matchAll(/`((?:src|test|docs|demo)\/[\w./-]+)`/g)].map(([, path = '']) => path)
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path = '']) =>
      join(page, '..', path),
    )

    expect(paths.length + links.length).toBeGreaterThan(0)
    expect([...paths, ...links].filter((path) => !existsSync(join(root, path)))).toEqual([])
  },
)

test('every npm script that a page names exists', () => {
  const pages = ['README.md', 'docs/architecture.md'].map(read).join('\n')
  const named = [...pages.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name)

  expect(named).toContain('demo')
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

test('every file that an npm script starts exists', () => {
  const files = Object.values(scripts).flatMap((line) => line.match(/\b[\w/]+\/[\w.-]+\.ts\b/g) ?? [])

  expect(files).toContain('src/standalone.ts')
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
})

const composeFile = z.object({
  services: z.record(
    z.string(),
    z.looseObject({
      command: z.array(z.string()).optional(),
      environment: z.record(z.string(), z.string()).optional(),
      healthcheck: z.object({ test: z.array(z.string()) }).loose(),
      depends_on: z.record(z.string(), z.object({ condition: z.string() })).optional(),
    }),
  ),
  volumes: z.record(z.string(), z.unknown()),
})

const compose = composeFile.parse(parse(read('docker-compose.yml'), { merge: true }))

const service = (name: string) => {
  const found = compose.services[name]
  if (found === undefined) throw new Error(`docker-compose.yml has no ${name}`)
  return found
}

test.each([
  ['serve', 'src/producer/main.ts'],
  ['worker', 'src/worker/main.ts'],
])(
  'docker-compose.yml starts %s with a file and variables that exist, once Redis is healthy',
  (name, file) => {
    const { command, environment = {}, depends_on } = service(name)

    expect(command).toEqual(['node', file])
    expect(existsSync(join(root, file))).toBe(true)
    expect(Object.keys(environment).filter((variable) => !variableNames.includes(variable))).toEqual([])
    expect(depends_on).toEqual({ redis: { condition: 'service_healthy' } })
  },
)

test('docker-compose.yml asks a worker for its health with a file that exists', () => {
  const [, program, file = ''] = service('worker').healthcheck.test

  expect(program).toBe('node')
  expect(existsSync(join(root, file)), file).toBe(true)
})

test('docker-compose.yml keeps everything that Redis holds', () => {
  const command = service('redis').command?.join(' ')

  expect(command).toContain('--appendonly yes')
  expect(command).toContain('--maxmemory-policy noeviction')
})

test('docker-compose.yml asks for nothing that .env.example does not explain', () => {
  const asked = [...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name)
  const example = read('.env.example')

  expect(asked.length).toBeGreaterThan(0)
  for (const name of asked) expect(example).toMatch(new RegExp(`^#? ?${name}=`, 'm'))
})

test('the Dockerfile copies what its commands start', () => {
  const copied = [...read('Dockerfile').matchAll(/^COPY (\S+)/gm)].map(([, path = '']) => path)

  expect(copied).toEqual(expect.arrayContaining(['package.json', 'src', 'bin']))
  expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([])
})
