/** Machine code and lifted code of earlier runs: what is kept is found, and nothing that has changed is used. */
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import t from 'tap'
import wabt from 'wabt'
import { type MachineCode, machineCodeLacks } from '../../cpu-node/mod.ts'
import { LOOP_SCRIPT, loopFile } from '../bench/loops.ts'
import { CachedCode } from './cached-code.ts'
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
  const cached = new CachedCode('guest', directory, mostBytes)
  const modules = numbers.map((number) => ({ id: 0, module: moduleOf(number), pcs: [number, 4] }))
  for (const [index, number] of numbers.entries()) cached.machineCode!.add(source(number), modules[index]!)
  cached.keep()
}

/** What the region's function gives, and its blocks; undefined where it is not stored. */
function find(cached: CachedCode, number: number): number[] | undefined {
  const found = cached.machineCode!.find(source(number))
  if (found === undefined) return undefined
  const { exports } = new WebAssembly.Instance(found.module!, {})
  return [(exports['number'] as () => number)(), ...found.pcs]
}

const databaseIn = (directory: string): string =>
  join(directory, readdirSync(directory).find((f) => f.endsWith('.db'))!)

t.test('what is kept is found by the next run', { skip }, async (t) => {
  const directory = join(t.testdir(), 'made', 'here')
  t.equal(find(new CachedCode('guest', directory), 1), undefined)
  keep(directory, [])
  t.notOk(existsSync(directory), 'nothing is written where there is nothing to keep')
  keep(directory, [1, 2])
  keep(directory, [3])
  keep(directory, [1, 3])
  const cached = new CachedCode('guest', directory)
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
  const [first, second] = [new CachedCode('guest', directory), new CachedCode('guest', directory)]
  const modules = [moduleOf(1), moduleOf(2)]
  first.machineCode!.add(source(1), { id: 0, module: modules[0]!, pcs: [1] })
  second.machineCode!.add(source(2), { id: 0, module: modules[1]!, pcs: [2] })
  first.keep()
  second.keep()
  const cached = new CachedCode('guest', directory)
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
    const cached = new CachedCode('guest', directory)
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
  t.equal(find(new CachedCode('guest', directory), 1), undefined)
  const cached = new CachedCode('guest', directory)
  const module = moduleOf(2)
  cached.machineCode!.add(source(2), { id: 0, module, pcs: [2, 4] })
  find(cached, 1)
  cached.keep()
  t.same(find(new CachedCode('guest', directory), 2), [2, 2, 4])
})

t.test('what was used longest ago makes room', { skip }, async (t) => {
  const directory = t.testdir()
  const many = Array.from({ length: 40 }, (_, number) => number)
  keep(directory, many, 4000)
  const cached = new CachedCode('guest', directory)
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

const KEY = { pc: 0x8000_1000 | 0, flags: 0, relative: false, bigEndian: false, cut: 0 }
const GUEST_WORDS = Int32Array.of(1, 2, 3, 4)

/** Keeps a block that is made of word `number` of the guest's. */
function keepLifted(directory: string, guest: string, number: number): void {
  const cached = new CachedCode(guest, directory)
  const words = Int32Array.of(number)
  cached.liftedCode.add(KEY, GUEST_WORDS, number, {
    ...{ pc: KEY.pc, length: 4, instructions: 1, lastInDelaySlot: false, codeWords: 1, code: words },
    ...{ pcs: Int32Array.of(KEY.pc), starts: words },
  })
  cached.keep()
}

/** The words of the guest's of which there are blocks. */
function findLifted(directory: string, guest: string): number[] {
  const { liftedCode } = new CachedCode(guest, directory)
  return [0, 1, 2, 3].filter((number) => {
    const isFound = liftedCode.find(KEY, GUEST_WORDS, number)
    if (isFound) t.equal(liftedCode.code[0], number)
    return isFound
  })
}

const liftedIn = (directory: string): string[] =>
  readdirSync(directory)
    .filter((file) => file.endsWith('.lifted'))
    .map((file) => join(directory, file))

t.test('what a run lifts the next one of the same guest has', async (t) => {
  const directory = join(t.testdir(), 'made', 'here')
  t.same(findLifted(directory, 'a'), [])
  keepLifted(directory, 'a', 1)
  keepLifted(directory, 'b', 2)
  keepLifted(directory, 'a', 3)
  t.same(findLifted(directory, 'a'), [1, 3])
  t.same(findLifted(directory, 'b'), [2])
  t.equal(liftedIn(directory).length, 2)
  t.same(
    readdirSync(directory).filter((file) => !file.endsWith('.lifted')),
    [],
    'nothing temporary is left',
  )
})

t.test('a file of lifted code that has changed is left aside, and made anew', async (t) => {
  const directory = t.testdir()
  keepLifted(directory, 'a', 1)
  const [file] = liftedIn(directory)
  const whole = readFileSync(file!)
  const used = [...whole.keys()].filter((at) => whole[at] !== 0)
  for (const at of [...used, 4, whole.length - 1]) {
    const changed = Buffer.from(whole)
    changed[at]! ^= 1 << (at % 8)
    writeFileSync(file!, changed)
    t.same(findLifted(directory, 'a'), [], `byte ${at}`)
  }
  for (const length of [0, 3, 4, 5, 100, whole.length - 1]) {
    writeFileSync(file!, whole.subarray(0, length))
    t.same(findLifted(directory, 'a'), [], `cut to ${length}`)
  }
  keepLifted(directory, 'a', 2)
  t.same(findLifted(directory, 'a'), [2])
})

t.test('of files of lifted code those stay that were used last', async (t) => {
  const directory = t.testdir()
  const guests = Array.from({ length: 40 }, (_, number) => `guest ${number}`)
  for (const [index, guest] of guests.entries()) {
    const before = new Set(liftedIn(directory))
    keepLifted(directory, guest, 1)
    const made = liftedIn(directory).find((file) => !before.has(file))
    utimesSync(made!, index, index)
    // The first is used all the time, and has nothing new.
    new CachedCode(guests[0]!, directory).keep()
  }
  t.same(
    guests.filter((guest) => findLifted(directory, guest).length > 0),
    [guests[0], ...guests.slice(-31)],
  )
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
  writeFileSync(databaseIn(join(cache, 'ananke', 'code')), 'no database')
  const spoilt = (await record('4')) as unknown as Closing
  t.equal(spoilt.digest, first!.digest)
  t.match(spoilt.notes, /\.db: .*it is made anew, and this run starts slower/)
  writeFileSync(liftedIn(join(cache, 'ananke', 'code'))[0]!, 'no lifted code')
  const spoiltToo = (await record('5')) as unknown as Closing
  t.equal(spoiltToo.digest, first!.digest)
  t.match(spoiltToo.notes, /\.lifted: it is damaged; it is made anew, and this run starts slower/)
})
