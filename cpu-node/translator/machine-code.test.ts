/** Machine code that an earlier run left: taken for the very same region only, and not where V8 has no use for it. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { TierOptions } from '../cpu.ts'
import type { Assembler } from '../oracle/assembler.ts'
import { testMachine } from '../test-machine.ts'
import { HotCode } from './hot-code.ts'
import { MachineCode, machineCodeLacks, type RegionSource, type StoredRegion } from './machine-code.ts'
import type { Translation, TranslationRequest } from './translate.ts'

// What stands second in a module is optimised at once, as the command line has it.
setFlagsFromString('--wasm-tier-mask-for-testing=2')

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const [V0, T0] = [2, 8]
/** More entries than any block has here; of a block that is known to become hot an eighth is enough. */
const NEVER_HOT = 600
const END = 3000
const STEP = 50

/** A loop that counts by `step`. */
const counting =
  (step: number) =>
  (at: Assembler): void => {
    at.constant(T0, 500).label('loop').emit('addiu', { s: T0, t: T0, i: -1 }).branch('bne', { s: T0, t: 0 }, 'loop')
    at.emit('addiu', { s: V0, t: V0, i: step })
    at.label('end').branch('beq', {}, 'end').nop()
  }

function run(step: number, tiers: TierOptions) {
  const { runTo, cpu, gpr } = testMachine(counting(step), tiers)
  for (let icount = STEP; icount <= END; icount += STEP) runTo(icount)
  return { registers: cpu.hashRegisters(), counted: gpr(V0), statistics: cpu.statistics }
}

/** What a run of `counting(step)` found hot. */
function found(step: number): Uint8Array {
  const hotCode = new HotCode()
  run(step, { hotEntries: 20, hotCode })
  return hotCode.encode()
}

function store(step: number): Map<string, StoredRegion> {
  const machineCode = new MachineCode(() => undefined)
  run(step, { hotEntries: NEVER_HOT, hotCode: new HotCode(found(step)), machineCode })
  return new Map(machineCode.made())
}

const skip = machineCodeLacks === undefined ? false : machineCodeLacks.message

t.test('what one run made the next takes at its first sight', { skip }, async (t) => {
  const interpreted = run(3, { hotEntries: 0 })
  const stored = store(3)
  t.ok(stored.size > 0)
  const machineCode = new MachineCode((key) => stored.get(key))
  const noCompiler = {
    submit: ({ code }: RegionSource) => t.fail(`a region of ${code.pcs.length} blocks is translated`),
    finished: () => [],
  }
  const known = { hotEntries: NEVER_HOT, hotCode: new HotCode(found(3)), compiler: noCompiler, machineCode }
  const { registers, counted, statistics } = run(3, known)
  t.same([registers, counted], [interpreted.registers, interpreted.counted])
  t.equal(statistics['storedRegions'], stored.size)
  t.ok(statistics['translatedInstructions']! > END / 3)
  t.same([...machineCode.taken].sort(), [...stored.keys()].sort())
  t.same([...machineCode.made()], [], 'what is stored is not made')
})

t.test('it is of no use to other code', { skip }, async (t) => {
  const stored = store(3)
  const machineCode = new MachineCode((key) => stored.get(key))
  const hotCode = new HotCode(found(4))
  const { registers, statistics } = run(4, { hotEntries: NEVER_HOT, hotCode, machineCode })
  t.equal(registers, run(4, { hotEntries: 0 }).registers)
  t.equal(statistics['storedRegions'], 1, 'but for the end, which is the same')
})

t.test('nor to a CPU that is otherwise, or to code at another place', { skip }, async (t) => {
  const sources: RegionSource[] = []
  const hotCode = new HotCode(found(3))
  const compiler = { submit: (request: RegionSource) => sources.push(request), finished: () => [] }
  run(3, { hotEntries: NEVER_HOT, hotCode, compiler })
  const { code, layout, window, memoryPages } = sources[0]!
  const { kind, pcs, lengths, targets, words, byCall } = code
  const moved = (values: Int32Array) => values.map((value) => value + 4)
  const others: RegionSource[] = [
    { code, layout, window, memoryPages: memoryPages + 1 },
    { code, layout, window: undefined, memoryPages },
    { code, layout, window: { ...window!, host: window!.host + 4096 }, memoryPages },
    { code, layout: { ...layout, regionBase: layout.regionBase + 64 }, window, memoryPages },
    { code: { ...code, kind: { ...kind, flags: kind.flags ^ 1 } }, layout, window, memoryPages },
    { code: { ...code, kind: { ...kind, bigEndian: true } }, layout, window, memoryPages },
    { code: { ...code, pcs: moved(pcs) }, layout, window, memoryPages },
    { code: { ...code, lengths: moved(lengths) }, layout, window, memoryPages },
    { code: { ...code, targets: moved(targets) }, layout, window, memoryPages },
    { code: { ...code, words: moved(words) }, layout, window, memoryPages },
    { code: { ...code, byCall: Int32Array.of(...byCall, pcs[0]!) }, layout, window, memoryPages },
  ]
  const keys = new Set<string>()
  const machineCode = new MachineCode((key) => {
    keys.add(key)
    return undefined
  })
  for (const source of [sources[0]!, ...others]) machineCode.find(source)
  t.equal(keys.size, 1 + others.length)
  machineCode.find({ code: { ...code, words: words.slice() }, layout: { ...layout }, window, memoryPages })
  t.equal(keys.size, 1 + others.length, 'the same code has the same key')
})

t.test('what V8 refuses is not asked for again, and the run does the same', { skip }, async (t) => {
  const interpreted = run(5, { hotEntries: 0 })
  const stored = store(3)
  let asked = 0
  const machineCode = new MachineCode(() => {
    asked++
    const [{ pcs, wasm, machineCode }] = [...stored.values()] as [StoredRegion]
    // Another module, so that V8 has none of the same in use; its custom section says nothing.
    const other = Uint8Array.of(...wasm, 0, 3, 1, 120, 1)
    // Its first words are those of V8's version and flags.
    return { pcs, wasm: other, machineCode: machineCode.map((byte, at) => (at < 16 ? byte ^ 1 : byte)) }
  })
  const { registers, statistics } = run(5, { hotEntries: NEVER_HOT, hotCode: new HotCode(found(5)), machineCode })
  t.equal(registers, interpreted.registers)
  t.ok(machineCode.isRefused)
  t.equal(asked, 1)
  t.equal(statistics['storedRegions'], 0)
  t.ok(statistics['translatedInstructions']! > 0, 'it is compiled')
  // What V8 goes on with by itself comes to its end.
  await new Promise((resolve) => setTimeout(resolve, 100))
})

t.test('what V8 has not optimised is not kept', { skip }, async (t) => {
  const machineCode = new MachineCode(() => undefined)
  const [region] = store(3).values()
  const source = {} as RegionSource
  machineCode.add({ ...source, ...sourceNamed(1) }, translationOf(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])))
  t.same([...machineCode.made()], [])
  const kept = translationOf(region!.wasm)
  machineCode.add(sourceNamed(2), kept)
  t.equal([...machineCode.made()].length, 1)
  machineCode.add(sourceNamed(3), { ...kept, module: undefined })
  t.equal([...machineCode.made()].length, 1)
})

t.test('what a replay finds is optimised at once, where that is kept', { skip }, async (t) => {
  const optimized = (machineCode: MachineCode | undefined, isOfThisRun: boolean) => {
    const requests: boolean[] = []
    const compiler = {
      submit: ({ optimized }: TranslationRequest) => requests.push(optimized),
      finished: () => [],
    }
    run(3, { hotEntries: 20, hotCode: new HotCode(undefined, { isOfThisRun }), compiler, machineCode })
    t.ok(requests.length > 0)
    return requests.some((at) => at)
  }
  t.equal(optimized(new MachineCode(() => undefined), true), true)
  t.equal(optimized(new MachineCode(() => undefined), false), false)
  t.equal(optimized(undefined, true), false)
})

t.test('what is dropped early in a run is kept', { skip }, async (t) => {
  const [region] = store(3).values()
  const machineCode = new MachineCode(() => undefined)
  machineCode.add(sourceNamed(1), translationOf(region!.wasm))
  // What a promise's reaction has seen stays until it is done.
  await new Promise((resolve) => setTimeout(resolve, 1))
  collectGarbage()
  t.equal([...machineCode.made()].length, 1)
})

const translationOf = (wasm: Uint8Array): Translation => ({
  id: 0,
  module: new WebAssembly.Module(new Uint8Array(wasm)),
  pcs: [4],
})

function sourceNamed(pc: number): RegionSource {
  const words = Int32Array.of(pc)
  const kind = { isa: 'mips', bigEndian: false, flags: 0, relative: false, fixed: true }
  const code = { kind, pcs: words, lengths: words, targets: words, words, byCall: words } as RegionSource['code']
  return { code, layout: {} as RegionSource['layout'], window: undefined, memoryPages: 1 }
}
