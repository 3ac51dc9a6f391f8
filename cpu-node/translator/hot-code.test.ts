/** Code that an earlier run found hot: used from the first where it is there again, else not at all. */
import t from 'tap'
import type { TierOptions } from '../cpu.ts'
import { NOWHERE } from '../interpreter/code-cache.ts'
import { Assembler } from '../oracle/assembler.ts'
import { CODE_BASE, testMachine } from '../test-machine.ts'
import { LateCompiler } from './compilers.ts'
import { type FoundCode, HotCode, HotCodeError } from './hot-code.ts'
import { FIRST } from './region.ts'

const [V0, T0, T1] = [2, 8, 9]
/** More entries than any block has here; of a block that is known to become hot an eighth is enough. */
const NEVER_HOT = 600
const END = 3000
const STEP = 50
const LONG_END = 10_000_000

/** A loop that calls; `step` is in the function. */
const counting =
  (step: number) =>
  (at: Assembler): void => {
    at.constant(T0, 500).label('loop').branch('bgezal', {}, 'add').nop()
    at.emit('addiu', { s: T0, t: T0, i: -1 }).branch('bne', { s: T0, t: 0 }, 'loop').nop()
    at.label('end').branch('beq', {}, 'end').nop()
    at.label('add').emit('addiu', { s: V0, t: V0, i: step }).emit('jr', { s: 31 }).emit('xor', { s: V0, t: T1, d: T1 })
  }

function run(step: number, tiers: TierOptions) {
  const { runTo, cpu, gpr } = testMachine(counting(step), tiers)
  // Between runs is when translations are taken in.
  for (let icount = STEP; icount <= END; icount += STEP) runTo(icount)
  const { translatedInstructions } = cpu.statistics
  return { registers: cpu.hashRegisters(), counted: gpr(V0), translated: translatedInstructions! }
}

/** What a run found, without what it did. */
const codes = ({ known }: Pick<HotCode, 'known'>) => known.map(({ instructions: _, ...code }) => code)

function kept(): Uint8Array {
  const hotCode = new HotCode()
  run(3, { hotEntries: 20, hotCode })
  return hotCode.encode()
}

t.test('what one run found hot the next translates before it is', async (t) => {
  const interpreted = run(3, { hotEntries: 0 })
  const unknown = run(3, { hotEntries: NEVER_HOT })
  const known = run(3, { hotEntries: NEVER_HOT, hotCode: new HotCode(kept()) })
  t.equal(known.registers, interpreted.registers)
  t.equal(known.counted, interpreted.counted)
  t.equal(unknown.translated, 0)
  t.ok(known.translated > END / 2, `${known.translated} instructions translated`)
})

t.test('a run that uses what is known keeps it for the next', async (t) => {
  const hotCode = new HotCode(kept())
  run(3, { hotEntries: NEVER_HOT, hotCode })
  t.same(codes(new HotCode(hotCode.encode())), codes(hotCode))
  const unused = new HotCode(kept())
  t.same(new HotCode(unused.encode()).known, [])
  t.same(new HotCode(unused.encodeAll()).known, unused.known, 'nor is what was of no use this time lost')
})

t.test('a region that was found twice is kept once', async (t) => {
  const hotCode = new HotCode()
  const [code] = new HotCode(kept()).known
  hotCode.add(code!)
  const again = { ...code!, byCall: Int32Array.of(code!.pcs[0]!) }
  hotCode.add(again)
  t.same(codes(new HotCode(hotCode.encode())), codes({ known: [again] }), 'as it was translated last')
  hotCode.remove(code!)
  t.notOk(hotCode.isEmpty)
  const words = code!.words.slice()
  words[0]! ^= 1
  hotCode.add({ ...code!, words })
  t.equal(new HotCode(hotCode.encode()).known.length, 2)
})

const region = (...pcs: number[]): FoundCode => ({
  kind: { isa: 'mips', bigEndian: false, flags: 0, relative: false, fixed: true },
  pcs: Int32Array.from(pcs),
  lengths: Int32Array.from(pcs, () => 8),
  targets: Int32Array.from(pcs, () => NOWHERE),
  words: Int32Array.from(pcs.flatMap((pc) => [pc, pc + 1])),
  byCall: Int32Array.of(),
  instructions: 0,
})

t.test('other runs are told of the regions that a grown one replaced, its own replays of that one', async (t) => {
  const grown = region(...Array.from({ length: FIRST.blocks + 1 }, (_, index) => 8 * index))
  const [first, second] = [region(0, 8), region(64, 72)]
  const hotCode = new HotCode()
  for (const code of [first, second, grown]) hotCode.add(code)
  hotCode.replace(first)
  hotCode.replace(second)
  t.same(new HotCode(hotCode.encode(), { isOfThisRun: true }).known, [grown])
  t.same(new HotCode(hotCode.encode()).known, [], 'which is for no other run')
  t.same(new HotCode(hotCode.encodeAll(), { isOfThisRun: true }).known, [first, second])
})

t.test('it is kept how many instructions a region did', async (t) => {
  const counted = (hotCode: HotCode) => new HotCode(hotCode.encode()).known.map(({ instructions }) => instructions)
  const ran = new HotCode()
  const { runTo, cpu } = testMachine(counting(3), { hotEntries: 20, hotCode: ran })
  for (let icount = STEP; icount <= END; icount += STEP) runTo(icount)
  const before = cpu.statistics['translatedInstructions']!
  // As long a way in one region is counted exactly; of short ones there are some.
  runTo(LONG_END)
  const translated = cpu.statistics['translatedInstructions']!
  const sum = counted(ran).reduce((sum, instructions) => sum + instructions)
  t.ok(Math.abs(sum - (translated - before)) <= END, `${sum} of ${translated}`)
  const [first, second, both] = [region(0, 8), region(64), region(16, 0, 8)]
  const hotCode = new HotCode()
  for (const code of [first, second]) hotCode.add(code)
  hotCode.did(first, 100)
  hotCode.live = () => [
    [first, 20],
    [second, 3],
  ]
  t.same(counted(hotCode), [120, 3], 'when it was dropped, and since')
  hotCode.add(both)
  hotCode.live = () => [[both, 5]]
  t.same(counted(hotCode), [105, 0], 'one that takes the place of another has done what that did')
})

t.test('what later regions have is left out, and they take its place', async (t) => {
  const keptOf = (...regions: FoundCode[]) => {
    const hotCode = new HotCode()
    for (const each of regions) hotCode.add(each)
    return new HotCode(hotCode.encode()).known.map(({ pcs }) => [...pcs])
  }
  t.same(keptOf(region(0, 8), region(64), region(16, 0, 8)), [[16, 0, 8], [64]], 'where the first was')
  t.same(
    keptOf(region(0, 8), region(8, 16)),
    [
      [0, 8],
      [8, 16],
    ],
    'not one that begins with what none has',
  )
  t.same(
    keptOf(region(0, 32, 40), region(0, 8, 16)),
    [
      [0, 32, 40],
      [0, 8, 16],
    ],
    'nor one of which others have little',
  )
  const elsewhere = region(0, 8)
  t.same(keptOf({ ...elsewhere, words: Int32Array.of(7, 7, 7, 7) }, elsewhere).length, 2, 'nor other code')
})

t.test('code that differs in one word is not taken for what is known', async (t) => {
  const interpreted = run(4, { hotEntries: 0 })
  const other = run(4, { hotEntries: NEVER_HOT, hotCode: new HotCode(kept()) })
  t.equal(other.registers, interpreted.registers)
  const again = run(4, { hotEntries: 20, hotCode: new HotCode(kept()) })
  t.equal(again.registers, interpreted.registers)
  t.ok(again.translated > 0, 'it is found hot by itself')
})

t.test('code for the other byte order is not used', async (t) => {
  const other = run(3, { hotEntries: NEVER_HOT, hotCode: new HotCode(kept()) })
  const machine = testMachine(counting(3), { endian: 'big', hotEntries: NEVER_HOT, hotCode: new HotCode(kept()) })
  machine.runTo(END)
  t.equal(machine.gpr(V0), other.counted)
  t.equal(machine.cpu.statistics['translatedInstructions'], 0)
})

t.test('a block whose region is still being translated asks again', async (t) => {
  const late = run(3, { hotEntries: NEVER_HOT, hotCode: new HotCode(kept()), compiler: new LateCompiler(() => 2) })
  t.equal(late.registers, run(3, { hotEntries: 0 }).registers)
  t.ok(late.translated > 0)
})

t.test('kernel code is put to use while the CPU is in user mode', async (t) => {
  const USER = 0x4000
  const FAR = CODE_BASE + 0x1000
  /** So many rounds of a loop that stands in two pages, then a loop in user mode, which stores. */
  const program =
    (rounds: number) =>
    (at: Assembler): void => {
      at.constant(T0, USER).emit('mtc0', { t: T0, d: 10 }).emit('mtc0', { t: T0, d: 14 })
      at.constant(T1, (4 << 6) | 6)
        .emit('mtc0', { t: T1, d: 2 })
        .emit('mtc0', { t: 0, d: 3 })
        .emit('tlbwi')
      at.constant(T0, rounds).label('loop').jump(FAR).nop()
      at.label('back').branch('bne', { s: T0, t: 0 }, 'loop').nop()
      at.constant(T1, 0x2000_0012).emit('mtc0', { t: T1, d: 12 }).emit('eret')
      const padding = (FAR - CODE_BASE) / 4 - at.finish().length
      for (let word = 0; word < padding; word++) at.nop()
      at.emit('addiu', { s: T0, t: T0, i: -1 }).jump(at.addressOf('back')).emit('addiu', { s: V0, t: V0, i: 1 })
    }
  const outcome = (rounds: number, tiers: TierOptions) => {
    const { runTo, cpu } = testMachine(program(rounds), tiers)
    const userCode = new Assembler(USER)
      .label('user')
      .branch('beq', {}, 'user')
      .emit('sw', { s: 0, t: 0, i: USER + 64 })
    cpu.writeBacking(USER, new Uint8Array(Int32Array.from(userCode.finish()).buffer))
    for (let icount = STEP; icount <= END; icount += STEP) {
      runTo(icount)
      // The next store goes the slow way, and is asked whether it failed.
      cpu.hashMemory()
    }
    return { registers: cpu.hashRegisters(), pc: cpu.pc, regions: cpu.statistics['regions']! }
  }
  const hotCode = new HotCode()
  outcome(100, { hotEntries: 20, hotCode })
  const known = new HotCode(hotCode.encode())
  // So often that the loop is asked for, and is still being translated when it is over.
  const rounds = NEVER_HOT / 8 + 2
  const interpreted = outcome(rounds, { hotEntries: 0 })
  t.equal(interpreted.pc & -8, USER)
  const late = outcome(rounds, { hotEntries: NEVER_HOT, hotCode: known, compiler: new LateCompiler(() => 5) })
  t.equal(late.regions, known.known.length, 'put to use')
  t.equal(late.registers, interpreted.registers)
})

t.test('damaged bytes are refused, or are code that memory does not have', async (t) => {
  const whole = kept()
  const interpreted = run(3, { hotEntries: 0 })
  for (let length = 0; length < whole.length; length++) {
    t.throws(() => new HotCode(whole.subarray(0, length)), HotCodeError, `cut to ${length} bytes`)
  }
  for (let bit = 0; bit < 8 * whole.length; bit += 3) {
    const flipped = whole.slice()
    flipped[bit >>> 3]! ^= 1 << (bit & 7)
    let hotCode: HotCode
    try {
      hotCode = new HotCode(flipped)
    } catch (error) {
      if (!(error instanceof HotCodeError)) throw error
      continue
    }
    t.equal(run(3, { hotEntries: NEVER_HOT, hotCode }).registers, interpreted.registers, `bit ${bit}`)
  }
})
