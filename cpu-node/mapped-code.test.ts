/**
 * Random code in mapped pages that call and branch to each other, while the pages are mapped elsewhere, swapped, replaced by others
 * with other code and taken away: a region of several pages may go from one to another only where that is what it was made from.
 */
import t from 'tap'
import type { Mnemonic } from './isa/mips/encodings.ts'
import { Assembler, word } from './oracle/assembler.ts'
import { randomWords } from './softfloat/test-patterns.ts'
import { DEVICE_BASE, position, type TestMachineOptions, testMachine } from './test-machine.ts'
import { LateCompiler } from './translator/compilers.ts'
import { HotCode } from './translator/hot-code.ts'

const PROGRAMS = 40
const LENGTH = 6000
/** After so many instructions there is an interrupt. */
const INTERRUPTED = 97
const PAGE = 0x1000
/** The code is of so many pages, so many words of each, half of them at its end; a TLB entry maps two. */
const PAGES = 4
const WORDS = 32
/** Where it is mapped: near, and far, with its pages in any order. */
const AREAS = [0x0040_0000, 0x1234_0000]
/** Where in memory: the pages, the same again, and others with other code. */
const FRAMES = 0x2_0000

/** What the handler maps, a row of words for each exception: index, EntryHi, EntryLo0, EntryLo1. */
const ROWS_AT = 0x8000_5000
const ROWS = 32
const ROW_BYTES = 16
/** Addresses of code for indirect jumps, and what may be stored to. */
const TARGETS_AT = 0x8000_6000
const TARGETS = 16
const DATA_AT = 0x8000_7000

const [V0, V1, A0, A1, A2, T0, K0, K1, RA] = [2, 3, 4, 5, 6, 8, 26, 27, 31]
const [INDEX, ENTRY_LO0, ENTRY_LO1, ENTRY_HI, STATUS, EPC] = [0, 2, 3, 10, 12, 14]

type Random = (below: number) => number

function pick<T>(random: Random, ...choices: T[]): T {
  return choices[random(choices.length)] as T
}

/** Where word `at` stands in its page. */
const placeOf = (at: number): number => (at < WORDS / 2 ? 4 * at : PAGE - 4 * (WORDS - at))

/** An instruction at word `at` of page `page`. */
function anInstruction(random: Random, page: number, at: number): number {
  // From the first half to the second.
  if (at === WORDS / 2 - 2) return word('beq', { i: (placeOf(at + 2) - placeOf(at)) / 4 - 1 })
  if (at === WORDS / 2 - 1) return 0
  const register = () => T0 + random(4)
  const two = () => ({ s: register(), t: register() })
  // To a word of any page, as they stand in the first area.
  const branch = () => ({
    i: ((PAGE * (random(PAGES) - page) + placeOf(random(WORDS)) - placeOf(at)) / 4 - 1) & 0xffff,
  })
  // A call that returns to the next page.
  if (at === WORDS - 2 && random(2) > 0) return word('bgezal', { s: 0, ...branch() })
  const choices: (() => number)[] = [
    ...Array<() => number>(8).fill(() => word('addiu', { ...two(), i: random(65536) })),
    ...Array<() => number>(8).fill(() => word('addu', { ...two(), d: register() })),
    () => word('lw', { s: A0, t: register(), i: 4 * random(16) }),
    () => word('sw', { s: A0, t: register(), i: 4 * random(16) }),
    () => word(pick<Mnemonic>(random, 'beq', 'bne', 'bnel'), { ...two(), ...branch() }),
    () => word(pick<Mnemonic>(random, 'bltz', 'bgez'), { s: register(), ...branch() }),
    () => word('bgezal', { s: 0, ...branch() }),
    () => word('bgezal', { s: 0, ...branch() }),
    () => word('bltzal', { s: register(), ...branch() }),
    () => word('jr', { s: RA }),
    () => word('jr', { s: RA }),
    () => word('lw', { s: A1, t: 25, i: 4 * random(TARGETS) }),
    () => word('jalr', { s: 25, d: RA }),
    () => word('jr', { s: 25 }),
    // What a row would map, in part, from amid the code.
    () => word('lw', { s: A2, t: K0, i: ROW_BYTES * random(ROWS) + 4 * (2 + random(2)) }),
    () => word('mtc0', { t: K0, d: pick(random, ENTRY_LO0, ENTRY_LO1) }),
    () => word('tlbwi'),
    () => word('syscall'),
  ]
  return pick(random, ...choices)()
}

interface Program {
  /** Of each kind of each page. */
  code: readonly (readonly number[])[]
  rows: readonly number[]
  targets: readonly number[]
}

function aProgram(random: Random): Program {
  const page = (number: number) => Array.from({ length: WORDS }, (_, at) => anInstruction(random, number, at))
  const usual = Array.from({ length: PAGES }, (_, number) => page(number))
  const others = Array.from({ length: PAGES }, (_, number) => page(number))
  const aFrame = (usualOne: number) => {
    const frame = random(3) > 0 ? usualOne : random(PAGES)
    const kind = pick(random, 0, 0, 0, 0, 1, 2)
    const valid = random(8) > 0 ? 2 : 0
    return ((FRAMES / PAGE + kind * PAGES + frame) << 6) | valid | 4
  }
  const rows = Array.from({ length: ROWS }, (_, row) => {
    // First all is mapped as it is meant.
    const index = row < PAGES ? row : random(2 * AREAS.length)
    const pair = index % 2
    const address = AREAS[index >> 1]! + 2 * pair * PAGE
    const isPlain = row < PAGES || random(3) > 0
    const low = (odd: number) => (isPlain ? ((FRAMES / PAGE + 2 * pair + odd) << 6) | 6 : aFrame(2 * pair + odd))
    return [index, address, low(0), low(1)]
  })
  const targets = Array.from(
    { length: TARGETS },
    () => pick(random, AREAS[0]!, AREAS[0]!, AREAS[1]!) + random(PAGES) * PAGE + placeOf(random(WORDS)),
  )
  return { code: [...usual, ...usual, ...others], rows: rows.flat(), targets }
}

/** Quiets the interrupt. At each exception: maps what the next row says, and goes on after the instruction at fault or, now and then, at the start. */
function handler(at: Assembler): void {
  at.constant(K0, DEVICE_BASE).emit('sw', { s: K0, t: 0 })
  at.emit('addiu', { s: V0, t: V0, i: 1 }).emit('andi', { s: V0, t: K0, i: ROWS - 1 })
  at.emit('sll', { t: K0, d: K0, a: Math.log2(ROW_BYTES) }).emit('addu', { s: K0, t: A2, d: K0 })
  for (const [word, register] of [INDEX, ENTRY_HI, ENTRY_LO0, ENTRY_LO1].entries()) {
    at.emit('lw', { s: K0, t: K1, i: 4 * word }).emit('mtc0', { t: K1, d: register })
  }
  at.emit('tlbwi').emit('mfc0', { t: K1, d: EPC }).emit('addiu', { s: K1, t: K1, i: 4 })
  at.emit('andi', { s: V0, t: V1, i: 3 })
  at.branch('bne', { s: V1, t: 0 }, 'on').nop().constant(K1, AREAS[0]!)
  at.label('on').emit('mtc0', { t: K1, d: EPC }).emit('eret').nop()
}

function run({ code, rows, targets }: Program, next: (icount: number) => number, tiers: TestMachineOptions) {
  const machine = testMachine(
    (at) => {
      at.emit('mfc0', { t: T0, d: STATUS }).emit('ori', { s: T0, t: T0, i: 0x8401 }).emit('mtc0', { t: T0, d: STATUS })
      at.constant(A0, DATA_AT).constant(A1, TARGETS_AT).constant(A2, ROWS_AT).constant(RA, AREAS[0]!)
      // The first rows, as the handler does it.
      for (let row = 0; row < PAGES; row++) {
        for (const [word, register] of [INDEX, ENTRY_HI, ENTRY_LO0, ENTRY_LO1].entries()) {
          at.emit('lw', { s: A2, t: K1, i: ROW_BYTES * row + 4 * word }).emit('mtc0', { t: K1, d: register })
        }
        at.emit('tlbwi')
      }
      at.emit('jr', { s: RA }).nop()
    },
    { ...tiers, handler },
  )
  const { cpu, port } = machine
  port.onWrite = () => {
    cpu.setLine(2, 0)
    return true
  }
  const write = (address: number, words: readonly number[]) =>
    cpu.writeBacking(address & 0x1fff_ffff, new Uint8Array(Uint32Array.from(words).buffer))
  for (const [frame, words] of code.entries()) {
    for (const [at, instruction] of words.entries()) write(FRAMES + frame * PAGE + placeOf(at), [instruction])
  }
  write(ROWS_AT, rows)
  write(TARGETS_AT, targets)
  // Where nothing is mapped at all.
  write(
    0,
    new Assembler(0x8000_0000)
      .emit('j', { j: 0x180 >>> 2 })
      .nop()
      .finish(),
  )
  for (let icount = 0; icount < LENGTH; ) {
    const interrupt = icount - (icount % INTERRUPTED) + INTERRUPTED
    icount = Math.min(LENGTH, interrupt, next(icount))
    machine.runTo(icount)
    // A loop is not the end of a program.
    if (icount === interrupt) cpu.setLine(2, 1)
    if (position(machine) !== icount) throw new Error(`stopped at ${position(machine)}, not at ${icount}`)
  }
  const { translatedInstructions = 0 } = cpu.statistics
  return { outcome: { registers: cpu.hashRegisters(), memory: cpu.hashMemory() }, translatedInstructions }
}

t.test('code of several mapped pages does the same wherever they are', async (t) => {
  const seed = Number(process.env['ANANKE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}`)
  const words = randomWords(seed)
  const random: Random = (below) => (words() >>> 0) % below
  let [regions, several, translated] = [0, 0, 0]
  for (let number = 0; number < PROGRAMS; number++) {
    const program = aProgram(random)
    const straight = run(program, () => LENGTH, { hotEntries: 0 }).outcome
    const inPieces = (icount: number) => icount + 1 + random(50)
    const compare = (next: (icount: number) => number, tiers: TestMachineOptions, how: string) => {
      const { outcome, translatedInstructions } = run(program, next, tiers)
      translated += translatedInstructions
      t.same(outcome, straight, `program ${number}, ${how}`)
    }
    compare(inPieces, { hotEntries: 0 }, 'in pieces')
    compare(inPieces, { hotEntries: 1 }, 'translated at once, in pieces')
    compare(() => LENGTH, { hotEntries: 4 }, 'translated')
    compare(() => LENGTH, { hotEntries: 8 }, 'translated later')
    compare(inPieces, { hotEntries: 2, compiler: new LateCompiler(random) }, 'translated late, in pieces')
    compare(() => LENGTH, { hotEntries: 4, lockstep: {} }, 'compared after every block')
    compare(() => LENGTH, { hotEntries: 4, maxRegions: 4, arenaWords: 3000 }, 'with room for little code')
    const hotCode = new HotCode()
    compare(inPieces, { hotEntries: 4, hotCode }, 'kept for a later run')
    const known = new HotCode(hotCode.encode())
    regions += known.known.length
    several += known.known.filter(({ pcs }) => new Set(pcs.map((pc) => pc >> 12)).size > 1).length
    compare(inPieces, { hotEntries: 1e6, hotCode: new HotCode(hotCode.encode()) }, 'known')
    const late = { hotEntries: 16, hotCode: new HotCode(hotCode.encode()), compiler: new LateCompiler(random) }
    compare(() => LENGTH, late, 'known, and translated late')
    const ofThisRun = new HotCode(hotCode.encode(), { isOfThisRun: true })
    compare(inPieces, { hotEntries: 1e6, hotCode: ofThisRun, lockstep: {} }, 'all at the start, compared')
  }
  t.comment(`${several} of ${regions} regions are of several pages; ${translated} instructions were translated`)
  t.ok(several > PROGRAMS)
  t.ok(translated > PROGRAMS * LENGTH)
})

t.test('a call at the end of a page returns to what is mapped behind it by then', async (t) => {
  const last = WORDS - 2
  const to = (from: number, address: number) => ({ i: ((address - from) / 4 - 1) & 0xffff })
  const pages = [2, 1000].map((step) => {
    const [calling, returned] = [new Array<number>(WORDS).fill(0), new Array<number>(WORDS).fill(0)]
    calling[0] = word('beq', to(0, placeOf(last)))
    calling[4] = word('jr', { s: RA })
    calling[last] = word('bgezal', { s: 0, ...to(placeOf(last), placeOf(4)) })
    returned[0] = word('addiu', { s: T0, t: T0, i: step })
    returned[1] = word('beq', to(PAGE + placeOf(1), placeOf(last)))
    return [calling, returned]
  })
  const [usual, others] = pages as [number[][], number[][]]
  const rest = usual.map(() => [])
  const code = [...usual, ...rest, ...usual, ...rest, ...others, ...rest]
  const low = (frame: number) => ((FRAMES / PAGE + frame) << 6) | 6
  const rows = Array.from({ length: ROWS }, (_, row) => [0, AREAS[0]!, low(0), low(row % 2 === 0 ? 1 : 2 * PAGES + 1)])
  const program = { code, rows: rows.flat(), targets: [] }
  const ways = [{ hotEntries: 0 }, { hotEntries: 4 }, { hotEntries: 4, compiler: new LateCompiler(() => 3) }]
  const [straight, ...translated] = ways.map((tiers) => run(program, (icount) => icount + 20, tiers))
  for (const { outcome, translatedInstructions } of translated) {
    t.same(outcome, straight!.outcome)
    t.ok(translatedInstructions > LENGTH / 2)
  }
})
