/**
 * Random code that does what is hardest for a run loop: it writes over itself, branches across pages, faults, raises
 * interrupts by its accesses, has devices write over it and move it. However a run is cut, it must do the same.
 */
import { setFlagsFromString } from 'node:v8'
import t from 'tap'
import { LiftedCode } from './interpreter/lifted-code.ts'
import type { Mnemonic } from './isa/mips/encodings.ts'
import { word } from './oracle/assembler.ts'
import { randomWords } from './softfloat/test-patterns.ts'
import { DEVICE_BASE, position, type TestMachine, type TestMachineOptions, testMachine } from './test-machine.ts'
import { LateCompiler } from './translator/compilers.ts'
import { HotCode } from './translator/hot-code.ts'
import { MachineCode, machineCodeLacks, type StoredRegion } from './translator/machine-code.ts'

// What stands second in a module is optimised at once, as the command line has it.
setFlagsFromString('--wasm-tier-mask-for-testing=2')

const PROGRAMS = 60
const LENGTH = 600
/** Entries; of a block that is known to become hot an eighth is enough. */
const KNOWN_HOT = 16
/** Code stands on both sides of the end of this page. */
const PAGE = 0x8000_2000
const CODE_FROM = PAGE - 0x60
const CODE_WORDS = 48
/** Where the second page's contents may move to. */
const ELSEWHERE = 0x9000

type Random = (below: number) => number

const [AT_CODE, AT_DATA, AT_DEVICE, AT_MAPPED] = [4, 5, 6, 7]

/** An instruction at place `at` of the code. */
function anInstruction(random: Random, at: number): number {
  const register = () => 8 + random(4)
  const branch = () => ({ i: (random(CODE_WORDS) - at - 1) & 0xffff })
  const two = () => ({ s: register(), t: register() })
  const i = () => 4 * random(CODE_WORDS)
  const choices: (() => number)[] = [
    () => word('addiu', { ...two(), i: random(65536) }),
    () => word('addu', { ...two(), d: register() }),
    () => word('add', { ...two(), d: register() }),
    () => word('sw', { s: AT_DATA, t: register(), i: i() }),
    () => word('lw', { s: AT_DATA, t: register(), i: i() }),
    () => word(pick<Mnemonic>(random, 'swl', 'swr', 'lwl', 'lwr'), { s: AT_DATA, t: register(), i: random(200) }),
    () => word('lh', { s: AT_DATA, t: register(), i: random(200) }),
    // Code that overwrites code with code: a word of it is copied elsewhere, by way of k0.
    () => word('lw', { s: AT_CODE, t: 26, i: i() }),
    () => word('sw', { s: AT_CODE, t: 26, i: i() }),
    () => word('sw', { s: AT_CODE, t: 26, i: i() }),
    () => word('lw', { s: AT_DEVICE, t: register(), i: i() }),
    () => word('sw', { s: AT_DEVICE, t: register(), i: i() }),
    () => word('swr', { s: AT_DEVICE, t: register(), i: i() + 1 }),
    // In the pages of the code, and away from it.
    () => word('sw', { s: AT_CODE, t: register(), i: 0x200 + i() }),
    () =>
      word(pick<Mnemonic>(random, 'lb', 'lbu', 'lhu', 'sb', 'sh', 'lw', 'sw', 'swl'), {
        s: AT_MAPPED,
        t: register(),
        i: i() + 0x1000 * random(4),
      }),
    () => word(pick<Mnemonic>(random, 'beq', 'bne', 'beql', 'bnel'), { ...two(), ...branch() }),
    () => word(pick<Mnemonic>(random, 'blez', 'bgtz', 'bltzal', 'bgezall'), { s: register(), ...branch() }),
    () => word('beq', branch()),
    () => word(pick<Mnemonic>(random, 'j', 'jal'), { j: (codeAddress(random(CODE_WORDS)) >>> 2) & 0x3ff_ffff }),
    () => word('jr', { s: 31 }),
    () => word('mfc0', { t: register(), d: random(32) }),
    () => word('mtc0', { t: register(), d: 9 }),
    () => word(pick<Mnemonic>(random, 'tlbwr', 'tlbp', 'tlbr')),
    () => word('ll', { s: AT_DATA, t: register(), i: i() }),
    () => word('sc', { s: AT_DATA, t: register(), i: i() }),
    () => word(pick<Mnemonic>(random, 'll', 'sc'), { s: AT_MAPPED, t: register(), i: i() + 0x1000 * random(4) }),
    () => word('syscall'),
  ]
  return pick(random, ...choices)()
}

function pick<T>(random: Random, ...choices: T[]): T {
  return choices[random(choices.length)] as T
}

const codeAddress = (place: number): number => CODE_FROM + 4 * place

/** How often code and regions made room for others. */
const roomMade = { reclaims: 0, droppedRegions: 0 }

interface Outcome {
  registers: number
  memory: unknown
  accesses: string[]
}

/** Builds the machine of a program; each of these does the same. */
function makeMachine(code: readonly number[], tiers: TestMachineOptions): { machine: TestMachine; accesses: string[] } {
  const machine = testMachine(
    (at) => {
      at.emit('mfc0', { t: 8, d: 12 }).emit('ori', { s: 8, t: 8, i: 0x8401 }).emit('mtc0', { t: 8, d: 12 })
      at.constant(AT_CODE, CODE_FROM).constant(AT_DATA, 0x8000_4000).constant(AT_DEVICE, DEVICE_BASE)
      at.constant(AT_MAPPED, 0x4000)
      // Two valid pages, of which the second may not be written; the next two are not mapped.
      at.emit('mtc0', { t: AT_MAPPED, d: 10 })
        .emit('addiu', { t: 8, i: (4 << 6) | 6 })
        .emit('mtc0', { t: 8, d: 2 })
      at.emit('addiu', { t: 8, i: (5 << 6) | 2 })
        .emit('mtc0', { t: 8, d: 3 })
        .emit('tlbwi')
      at.jump(CODE_FROM)
    },
    {
      ...tiers,
      // Quiets the device and goes on after the instruction at fault, or at the start for the third time.
      handler: (at) => {
        at.emit('lui', { t: 27, i: DEVICE_BASE >>> 16 }).emit('sw', { s: 27, t: 0, i: 0xfc })
        at.emit('mfc0', { t: 27, d: 14 }).emit('addiu', { s: 27, t: 27, i: 4 })
        at.emit('addiu', { s: 2, t: 2, i: 1 }).emit('andi', { s: 2, t: 3, i: 3 })
        at.branch('bne', { s: 3, t: 0 }, 'on').nop().constant(27, CODE_FROM)
        at.label('on').emit('mtc0', { t: 27, d: 14 }).emit('eret').nop()
      },
    },
  )
  const { cpu, port } = machine
  const bytes = (value: number) => new Uint8Array(Uint32Array.of(value).buffer)
  code.forEach((instruction, place) => {
    cpu.writeBacking((codeAddress(place) & 0x1fff_ffff) >>> 0, bytes(instruction))
  })
  cpu.writeBacking(ELSEWHERE, cpu.readBacking(PAGE & 0x1fff_ffff, 0x1000))
  const accesses: string[] = []
  const accessed = (what: string) => {
    accesses.push(`${what} at ${cpu.icount}, pc ${cpu.pc.toString(16)}`)
    const count = accesses.length
    if (count % 5 === 0) cpu.setLine(2, 1)
    if (count % 7 === 0)
      cpu.writeBacking((codeAddress((count * 13) % CODE_WORDS) & 0x1fff_ffff) >>> 0, bytes(code[count % CODE_WORDS]!))
    if (count % 11 === 0)
      cpu.mapMemory(PAGE & 0x1fff_ffff, 0x1000, count % 2 === 0 ? ELSEWHERE : PAGE & 0x1fff_ffff, 'ram')
  }
  port.onRead = (address) => {
    accessed(`read ${address.toString(16)}`)
    return (accesses.length * 0x9e37) & 0xff
  }
  port.onWrite = (address, _size, value) => {
    accessed(`write ${address.toString(16)} ${value.toString(16)}`)
    if ((address & 0xff) === 0xfc) cpu.setLine(2, 0)
    return true
  }
  return { machine, accesses }
}

/** Runs to `LENGTH` by way of the stops that `next` gives. */
function run(code: readonly number[], next: (icount: number) => number, tiers: TestMachineOptions): Outcome {
  const { machine, accesses } = makeMachine(code, tiers)
  for (let icount = 0; icount < LENGTH; ) {
    icount = Math.min(LENGTH, next(icount))
    machine.runTo(icount)
    if (position(machine) !== icount) throw new Error(`stopped at ${position(machine)}, not at ${icount}`)
  }
  roomMade.reclaims += machine.cpu.statistics['reclaims']!
  roomMade.droppedRegions += machine.cpu.statistics['droppedRegions']!
  return { registers: machine.cpu.hashRegisters(), memory: machine.cpu.hashMemory(), accesses }
}

t.test('random code does the same however its run is cut', async (t) => {
  const seed = Number(process.env['ANANKE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}`)
  const words = randomWords(seed)
  const random: Random = (below) => (words() >>> 0) % below
  const stored = new Map<string, StoredRegion>()
  const machineCode = machineCodeLacks === undefined ? new MachineCode((key) => stored.get(key)) : undefined
  let liftedCode = new LiftedCode()
  for (let program = 0; program < PROGRAMS; program++) {
    const code = Array.from({ length: CODE_WORDS }, (_, place) => anInstruction(random, place))
    const straight = run(code, () => LENGTH, { hotEntries: 0 })
    const oneByOne = (icount: number) => icount + 1
    const inPieces = (icount: number) => icount + 1 + random(9)
    const compare = (next: (icount: number) => number, tiers: TestMachineOptions, how: string) =>
      t.same(run(code, next, tiers), straight, `program ${program}, ${how}`)
    compare(oneByOne, { hotEntries: 0 }, 'one by one')
    compare(inPieces, { hotEntries: 0 }, 'in pieces')
    compare(() => LENGTH, { hotEntries: 0, arenaWords: 800 }, 'with room for little code')
    compare(() => LENGTH, { hotEntries: 1 }, 'translated at once')
    compare(inPieces, { hotEntries: 2 }, 'translated at the second entry, in pieces')
    compare(inPieces, { hotEntries: 1, compiler: new LateCompiler(random) }, 'translated late, in pieces')
    compare(() => LENGTH, { hotEntries: 5, arenaWords: 2000 }, 'translated later, with room for little code')
    compare(() => LENGTH, { hotEntries: 1, lockstep: {} }, 'translated at once, compared after every block')
    const stride = () => 1 + random(20)
    compare(() => LENGTH, { hotEntries: 2, lockstep: { stride, memoryEvery: 1 } }, 'compared anywhere, memory too')
    compare(inPieces, { hotEntries: 0, liftedCode }, 'lifted code kept for a later run, in pieces')
    liftedCode = new LiftedCode(liftedCode.encode())
    compare(inPieces, { hotEntries: 0, liftedCode }, 'lifted by an earlier run, in pieces')
    compare(() => LENGTH, { hotEntries: 2, liftedCode, arenaWords: 2000 }, 'lifted earlier, with room for little code')
    compare(inPieces, { hotEntries: 2, liftedCode, lockstep: {} }, 'lifted earlier, compared after every block')
    const hotCode = new HotCode()
    compare(() => LENGTH, { hotEntries: 2, hotCode }, 'kept for a later run')
    const known = () => ({ hotEntries: KNOWN_HOT, hotCode: new HotCode(hotCode.encode()) })
    compare(inPieces, known(), 'known from an earlier run, in pieces')
    compare(() => LENGTH, { ...known(), compiler: new LateCompiler(random) }, 'known, and translated late')
    compare(inPieces, { ...known(), machineCode }, 'known, its machine code kept for a later run')
    for (const [key, region] of machineCode?.made() ?? []) stored.set(key, region)
    compare(inPieces, { ...known(), machineCode, lockstep: {} }, 'known, and so is its machine code')
    const ofThisRun = new HotCode(hotCode.encode(), { isOfThisRun: true })
    compare(inPieces, { hotEntries: 1e6, hotCode: ofThisRun, compiler: new LateCompiler(random) }, 'all at the start')
    compare(() => LENGTH, { ...known(), hotEntries: 3, arenaWords: 2000 }, 'known, with room for little code')
    const little = { maxRegions: 4, arenaWords: 2000 }
    compare(inPieces, { hotEntries: 1, ...little }, 'translated at once, with room for few regions, in pieces')
    const tight = { hotEntries: 2, ...little, lockstep: {}, compiler: new LateCompiler(random) }
    compare(() => LENGTH, tight, 'translated late, with room for few regions, compared after every block')
    compare(inPieces, { ...known(), hotEntries: 3, ...little, compiler: new LateCompiler(random) }, 'known, the same')
  }
  t.comment(`code made room ${roomMade.reclaims} times, regions ${roomMade.droppedRegions} times`)
  t.ok(roomMade.reclaims > PROGRAMS)
  t.ok(roomMade.droppedRegions > PROGRAMS)
  if (machineCode !== undefined)
    t.ok(machineCode.taken.size > PROGRAMS / 2, `${machineCode.taken.size} regions' machine code`)
})
