/** The database of machine code: what is kept is found, and nothing that has changed is used. */
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import t from 'tap'
import wabt from 'wabt'
import { type MachineCode, machineCodeLacks } from '../../cpu-node/mod.ts'
import { LOOP_SCRIPT, loopFile } from '../bench/loops.ts'
import { CachedMachineCode } from './machine-code.ts'
import { ananke, lastObject, said } from './testing.ts'

// Its compilation alone does not keep Node from ending the process.
const waiting = setInterval(() => {}, 1000)
const { parseWat } = await wabt()
clearInterval(waiting)

// What stands second in a module is optimised at once, as the command line has it.
setFlagsFromString('--wasm-tier-mask-for-testing=2')

const skip = machineCodeLacks === undefined ? false : machineCodeLacks.message

type Source = Parameters<MachineCode['find']>[0]

/** Region number `number`: nothing of it is looked at here. */
function source(number: number): Source {
  const words = Int32Array.of(number)
  const kind = { isa: 'mips', bigEndian: false, flags: 0, relative: false, fixed: true }
  const code = { kind, pcs: words, lengths: words, targets: words, words, byCall: words } as Source['code']
  return { code, layout: {} as Source['layout'], window: undefined, memoryPages: 1 }
}

function moduleOf(number: number): WebAssembly.Module {
  const text = `(module (func) (func (export "number") (result i32) (i32.const ${number})))`
  return new WebAssembly.Module(new Uint8Array(parseWat('region', text, {}).toBinary({}).buffer))
}

/** Keeps regions `numbers`. Modules that are alive are given for their like. */
function keep(directory: string, numbers: readonly number[], mostBytes?: number): void {
  const cached = new CachedMachineCode(directory, mostBytes)
  const modules = numbers.map((number) => ({ id: 0, module: moduleOf(number), pcs: [number, 4] }))
  for (const [index, number] of numbers.entries()) cached.machineCode!.add(source(number), modules[index]!)
  cached.keep()
}

/** What the region's function gives, and its blocks; undefined where it is not stored. */
function find(cached: CachedMachineCode, number: number): number[] | undefined {
  const found = cached.machineCode!.find(source(number))
  if (found === undefined) return undefined
  const { exports } = new WebAssembly.Instance(found.module!, {})
  return [(exports['number'] as () => number)(), ...found.pcs]
}

const databaseIn = (directory: string): string =>
  join(directory, readdirSync(directory).find((f) => f.endsWith('.db'))!)

t.test('what is kept is found by the next run', { skip }, async (t) => {
  const directory = join(t.testdir(), 'made', 'here')
  t.equal(find(new CachedMachineCode(directory), 1), undefined)
  keep(directory, [])
  t.notOk(existsSync(directory), 'nothing is written where there is nothing to keep')
  keep(directory, [1, 2])
  keep(directory, [3])
  keep(directory, [1, 3])
  const cached = new CachedMachineCode(directory)
  t.same(
    [1, 2, 3].map((number) => find(cached, number)),
    [1, 2, 3].map((number) => [number, number, 4]),
  )
  t.equal(find(cached, 4), undefined)
  cached.keep()
  t.same(readdirSync(directory).length, 1)
})

t.test('two runs at once lose nothing', { skip }, async (t) => {
  const directory = t.testdir()
  const [first, second] = [new CachedMachineCode(directory), new CachedMachineCode(directory)]
  const modules = [moduleOf(1), moduleOf(2)]
  first.machineCode!.add(source(1), { id: 0, module: modules[0]!, pcs: [1] })
  second.machineCode!.add(source(2), { id: 0, module: modules[1]!, pcs: [2] })
  first.keep()
  second.keep()
  const cached = new CachedMachineCode(directory)
  t.same(find(cached, 1), [1, 1])
  t.same(find(cached, 2), [2, 2])
  cached.keep()
})

t.test('whatever happens to the file, nothing is found but what was kept', { skip }, async (t) => {
  const directory = t.testdir()
  keep(directory, [1, 2])
  const file = databaseIn(directory)
  const whole = readFileSync(file)
  let damaged = 0
  const check = (changed: Uint8Array, what: string) => {
    writeFileSync(file, changed)
    const cached = new CachedMachineCode(directory)
    for (const number of [1, 2]) {
      const found = find(cached, number)
      if (found === undefined) damaged++
      else if (found.join() !== [number, number, 4].join()) t.fail(`${what}: ${found}`)
    }
    cached.keep()
  }
  // Most of its bytes are those of the two regions.
  const used = [...whole.keys()].filter((at) => whole[at] !== 0)
  for (let index = 0; index < used.length; index += 29) {
    const changed = Buffer.from(whole)
    changed[used[index]!]! ^= 1 << (index % 8)
    check(changed, `byte ${used[index]}`)
  }
  t.ok(damaged > 10, `${damaged} were found damaged`)
  for (const length of [0, 1, 99, 5000, 40_000, whole.length - 1]) check(whole.subarray(0, length), `cut to ${length}`)
  check(Buffer.from('no database'.repeat(100)), 'another file')
})

t.test('a file that is no database is made anew', { skip }, async (t) => {
  const directory = t.testdir()
  keep(directory, [1])
  writeFileSync(databaseIn(directory), 'no database')
  t.equal(find(new CachedMachineCode(directory), 1), undefined)
  const cached = new CachedMachineCode(directory)
  const module = moduleOf(2)
  cached.machineCode!.add(source(2), { id: 0, module, pcs: [2, 4] })
  find(cached, 1)
  cached.keep()
  t.same(find(new CachedMachineCode(directory), 2), [2, 2, 4])
})

t.test('what was used longest ago makes room', { skip }, async (t) => {
  const directory = t.testdir()
  const many = Array.from({ length: 40 }, (_, number) => number)
  keep(directory, many, 4000)
  const cached = new CachedMachineCode(directory)
  const left = many.filter((number) => find(cached, number) !== undefined)
  t.ok(left.length > 0 && left.length < many.length, `${left.length} left`)
  cached.keep()
})

t.test('of databases of other versions the latest stays', { skip }, async (t) => {
  const directory = t.testdir({ 'a.db': 'a', 'b.db': 'b', 'c.db': 'c', other: '' })
  for (const [index, name] of ['a.db', 'b.db', 'c.db'].entries()) utimesSync(join(directory, name), index, index)
  keep(directory, [1])
  const names = readdirSync(directory)
  t.ok(names.includes('c.db') && names.includes('other'))
  t.equal(names.length, 3)
})

t.test('a directory that can not be written is a note', { skip }, async (t) => {
  const directory = t.testdir({ file: 'no directory' })
  t.doesNotThrow(() => keep(join(directory, 'file', 'below'), [1]))
})

t.test('a run takes what the one before made, and so does its replay', { skip }, async (t) => {
  const directory = t.testdir({ script: LOOP_SCRIPT })
  const cache = join(directory, 'cache')
  mkdirSync(cache)
  const env = { XDG_CACHE_HOME: cache }
  const recording = (name: string) => join(directory, `${name}.ank`)
  const record = async (name: string) => {
    const words = ['--kernel', loopFile('calls'), '--memory', '64M', '--input', join(directory, 'script')]
    const outcome = await ananke(['record', ...words, '-o', recording(name), '--json'], { env })
    t.equal(outcome.status, 0, outcome.stderr)
    return { ...lastObject(outcome.stdout), notes: said(outcome).join() }
  }
  type Closing = { digest: string; notes: string; statistics: Record<string, number> }
  const [first, second, third] = [await record('1'), await record('2'), await record('3')] as unknown as Closing[]
  t.equal(first!.statistics['storedRegions'], 0)
  t.ok(third!.statistics['storedRegions']! > 0)
  t.same([second!.digest, third!.digest], [first!.digest, first!.digest])
  const replayed = await ananke(['replay', recording('1'), '--json'], { env })
  const { digest, statistics } = lastObject(replayed.stdout) as unknown as Closing
  t.equal(digest, first!.digest)
  t.ok(statistics['storedRegions']! > 0)
  writeFileSync(databaseIn(join(cache, 'ananke', 'machine-code')), 'no database')
  const spoilt = (await record('4')) as unknown as Closing
  t.equal(spoilt.digest, first!.digest)
  t.match(spoilt.notes, /\.db: .*it is made anew, and this run starts slower/)
})
