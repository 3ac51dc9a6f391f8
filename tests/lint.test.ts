/**
 * The lint rules that keep the architecture: import directions, and no host in node code. Each rule is shown a source
 * file that breaks it, and one that does not.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')

/** Lints `files` (path: source) in a copy of the project that holds nothing else; gives what was said of each path. */
function lint(directory: string, files: ReadonlyMap<string, string>): Map<string, string> {
  cpSync(join(ROOT, 'biome.json'), join(directory, 'biome.json'))
  cpSync(join(ROOT, 'tools', 'lint'), join(directory, 'tools', 'lint'), { recursive: true })
  for (const [path, source] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), source)
  }
  const biome = join(ROOT, 'node_modules', '.bin', 'biome')
  const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '--diagnostic-level=error']
  const result = spawnSync(biome, args, { cwd: directory, encoding: 'utf8' })
  const { diagnostics } = JSON.parse(result.stdout) as {
    diagnostics: { message: string; location: { path: string } }[]
  }
  const said = new Map([...files.keys()].map((path) => [path, '']))
  for (const diagnostic of diagnostics) {
    const path = diagnostic.location.path.replace(/^\.\//, '')
    said.set(path, `${said.get(path) ?? ''}${JSON.stringify(diagnostic)}\n`)
  }
  return said
}

const IMPORTS: readonly { from: string; to: string; allowed: boolean }[] = [
  { from: 'bus/x.ts', to: './clock.ts', allowed: true },
  { from: 'bus/x.ts', to: '../replay-store/mod.ts', allowed: false },
  { from: 'replay-store/x.ts', to: '../bus/mod.ts', allowed: true },
  { from: 'replay-store/x.ts', to: '../bus/clock.ts', allowed: false },
  { from: 'cpu-node/isa/x.ts', to: '../../replay-store/mod.ts', allowed: true },
  { from: 'cpu-node/isa/x.ts', to: '../ir/ops.ts', allowed: true },
  { from: 'cpu-node/isa/x.ts', to: '../../device-nodes/mod.ts', allowed: false },
  { from: 'device-nodes/y/x.ts', to: '../sdk/mod.ts', allowed: true },
  { from: 'device-nodes/y/x.ts', to: '../../cpu-node/mod.ts', allowed: false },
  { from: 'device-nodes/y/x.test.ts', to: '../../bus/testing.ts', allowed: true },
  { from: 'orchestrator/x.ts', to: '../device-nodes/mod.ts', allowed: true },
  { from: 'orchestrator/x.ts', to: '../device-nodes/i8259/i8259.ts', allowed: false },
  { from: 'orchestrator/x.ts', to: '../tools/mod.ts', allowed: false },
  { from: 'tools/cli/x.ts', to: '../../orchestrator/mod.ts', allowed: true },
  { from: 'tools/cli/x.ts', to: '../../orchestrator/session.ts', allowed: false },
  { from: 'tools/cli/x.ts', to: '../../cpu-node/compiler-thread.ts', allowed: true },
  { from: 'tools/cli/x.ts', to: '../../cpu-node/cpu.ts', allowed: false },
]

t.test('imports go one way, and through mod.ts', async (t) => {
  const path = (from: string, index: number) => from.replace(/x(\.test)?\.ts$/, `x${index}$1.ts`)
  const files = IMPORTS.map(({ from, to }, index): [string, string] => [
    path(from, index),
    `import { x } from '${to}'\n\nexport const y = x\n`,
  ])
  const said = lint(t.testdir(), new Map(files))
  for (const [index, { from, to, allowed }] of IMPORTS.entries()) {
    const about = said.get(path(from, index)) ?? ''
    if (allowed) t.equal(about, '', `${from} may import ${to}`)
    else t.match(about, /mod\.ts|may not import/, `${from} may not import ${to}`)
  }
})

const HOST: readonly string[] = [
  'Date.now()',
  'new Date()',
  'Math.random()',
  'performance.now()',
  'setTimeout(() => {}, 1)',
  'setInterval(() => {}, 1)',
  'setImmediate(() => {})',
  'crypto.getRandomValues(new Uint8Array(1))',
  'process.pid',
  "fetch('x')",
]

t.test('node code cannot ask the host', async (t) => {
  const files = new Map<string, string>()
  for (const [index, expression] of HOST.entries()) {
    for (const folder of ['device-nodes/y', 'tools/cli'])
      files.set(`${folder}/x${index}.ts`, `export const x = ${expression}\n`)
  }
  files.set('bus/files.ts', "import { readFileSync } from 'node:fs'\n\nexport const x = readFileSync\n")
  files.set('bus/dates.ts', 'export const x = new Date(Date.UTC(1970, 0))\n')
  const said = lint(t.testdir(), files)
  for (const [index, expression] of HOST.entries()) {
    t.match(
      said.get(`device-nodes/y/x${index}.ts`),
      /Node code|Do not use the global/,
      `${expression} is refused in a device`,
    )
    t.equal(said.get(`tools/cli/x${index}.ts`), '', `${expression} is allowed in a tool`)
  }
  t.match(said.get('bus/files.ts'), /Node code has no I\/O/, 'files are refused on the bus')
  t.equal(said.get('bus/dates.ts'), '', 'dates of given times are fine')
})
