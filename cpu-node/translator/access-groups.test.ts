/** Accesses that are looked up together, against the interpreter: at both ends of RAM, across pages, at pages of every kind. */
import t from 'tap'
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { Assembler } from '../oracle/assembler.ts'
import { randomWords } from '../softfloat/test-patterns.ts'
import { CODE_BASE, testMachine } from '../test-machine.ts'

const SEED = Number(process.env['ANANKE_TEST_SEED'] ?? 1)
const [A0, T0, T1, T2, T3, S0, S1, K0] = [4, 8, 9, 10, 11, 16, 17, 26]
const [BAD_VADDR, EPC, EBASE] = [8, 14, 15]
/** Where exceptions go: the start of RAM is written to. */
const VECTORS = 0x8001_0000
const RAM_BYTES = 0x2_0000
const TABLE = 0x8000_8000
/** Virtual pages 4 and 5 of the TLB, of which the second is read only, and 0, which is the code's. */
const MAPPED = 0x4000
/** Base addresses, from each of which the block under test works once a round. */
const BASES = [
  ...[0, 1, 4, 8].map((offset) => 0x8000_0800 - offset),
  ...[0x8000_0000, 0x8000_0004, 0x8000_0010, 0x8000_0000 + RAM_BYTES - 4, 0x8000_0000 + RAM_BYTES - 20],
  ...[0x8000_0000 + RAM_BYTES, 0x8000_5ffc, 0x8000_6002, 0x8000_7000, 0xa000_6000, 0x8fff_fffc, 0x7fff_fffc],
  ...[MAPPED, MAPPED + 0x20, MAPPED + 0xffc, MAPPED + 0x1000, MAPPED + 0x1100, MAPPED + 0x1ff8, MAPPED + 0x2000],
  // Into a page that has never been written, from one that has.
  ...[0x8000_c800, 0x8000_cffc],
  // From and to the code's page, whose first instructions have been.
  ...[CODE_BASE - 8, CODE_BASE + 0xffc, CODE_BASE + 0x800, (CODE_BASE & 0xffff) + 0x800, 0x1_0000],
]
const HEATS = [1, 5]
const ROUNDS = 12
const ACCESSES: readonly (readonly [Mnemonic, number])[] = [
  ...(['lw', 'sw', 'lw', 'sw'] as const).map((name) => [name, 4] as const),
  ...(['lh', 'lhu', 'sh'] as const).map((name) => [name, 2] as const),
  ...(['lb', 'lbu', 'sb'] as const).map((name) => [name, 1] as const),
  ['lwl', 1],
  ['swr', 1],
]

type Step = (at: Assembler) => unknown

function randomStep(random: (below: number) => number): Step {
  const kind = random(12)
  const i = 4 * (random(5) - 2)
  if (kind === 0) return (at) => at.emit('addiu', { s: A0, t: A0, i })
  if (kind === 1) return (at) => at.emit('rdhwr', { t: T2, d: 0 })
  const [name, width] = ACCESSES[random(ACCESSES.length)]!
  const displacement = (random(20) === 0 ? 1 : width) * (random(24) - 12)
  if (name.startsWith('s')) return (at) => at.emit(name, { s: A0, t: T3, i: displacement })
  return (at) => at.emit(name, { s: A0, t: T1, i: displacement }).emit('addu', { s: T3, t: T1, d: T3 })
}

/** EntryHi, EntryLo0 and EntryLo1 of entry `index`. */
function mapPair(at: Assembler, index: number, address: number, low0: number, low1: number): void {
  const put = (register: number, value: number) => at.constant(T0, value).emit('mtc0', { t: T0, d: register })
  put(0, index)
  put(10, address)
  put(2, low0)
  put(3, low1)
  at.emit('tlbwi')
}

const frame = (page: number, flags: number): number => (page << 6) | flags

/** `mapped`: the code runs in a page of the TLB, where it has no window of RAM. */
function programOf(steps: readonly Step[], mapped: boolean): Step {
  return (at) => {
    mapPair(at, 0, MAPPED, frame(4, 7), frame(5, 3))
    mapPair(at, 1, 0, frame(0, 7), frame(1, 7))
    at.constant(T0, VECTORS).emit('mtc0', { t: T0, d: EBASE, e: 1 })
    at.constant(S0, TABLE)
      .constant(S1, TABLE + 4 * BASES.length)
      .constant(T0, mapped ? (CODE_BASE & 0xffff) + 0x100 : CODE_BASE + 0x100)
    at.emit('jr', { s: T0 }).nop()
    while (at.words.length < 0x100 / 4) at.nop()
    at.label('loop').emit('lw', { s: S0, t: A0, i: 0 }).emit('addiu', { s: S0, t: S0, i: 4 })
    for (const step of steps) step(at)
    at.branch('bne', { s: S0, t: S1 }, 'loop').emit('addiu', { s: T3, t: T3, i: 1 })
    at.emit('lui', { t: S0, i: TABLE >>> 16 })
    at.branch('beq', {}, 'loop').emit('ori', { s: S0, t: S0, i: TABLE & 0xffff })
  }
}

/** Goes on behind what faulted. */
function handler(at: Assembler): void {
  at.emit('mfc0', { t: K0, d: BAD_VADDR }).emit('addu', { s: T3, t: K0, d: T3 })
  at.emit('mfc0', { t: K0, d: EPC }).emit('addiu', { s: K0, t: K0, i: 4 }).emit('mtc0', { t: K0, d: EPC })
  at.emit('eret').nop()
}

function outcome(program: Step, hotEntries: number) {
  const machine = testMachine(program, { ramBytes: RAM_BYTES, hotEntries })
  const put = (address: number, words: readonly number[]) =>
    machine.cpu.writeBacking(address & 0x1fff_ffff, new Uint8Array(Uint32Array.from(words).buffer))
  put(TABLE, BASES)
  const vector = new Assembler(0)
  handler(vector)
  // A page that the TLB lacks, and all else.
  for (const offset of [0, 0x180]) put(VECTORS + offset, vector.words)
  machine.runTo(ROUNDS * BASES.length * 40)
  return { registers: machine.cpu.hashRegisters(), memory: machine.cpu.hashMemory() }
}

t.test('accesses of one base do what they do one by one', async (t) => {
  t.comment(`seed ${SEED}`)
  const word = randomWords(SEED)
  const random = (below: number) => word() % below
  for (let round = 0; round < 60; round++) {
    const steps = Array.from({ length: 3 + random(10) }, () => randomStep(random))
    for (const mapped of [false, true]) {
      const program = programOf(steps, mapped)
      const interpreted = outcome(program, 0)
      for (const heat of HEATS)
        t.same(outcome(program, heat), interpreted, `program ${round}, ${mapped ? 'mapped' : 'in kseg0'}, heat ${heat}`)
    }
  }
})
