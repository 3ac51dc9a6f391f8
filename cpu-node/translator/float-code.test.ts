/**
 * Random floating-point code, straight on and in loops, does the same in both tiers: values held in locals, flags that
 * gather, moves and stores of halves, branches on condition codes, modes that change, exceptions.
 */
import t from 'tap'
import type { TierOptions } from '../cpu.ts'
import { encodings, type Mnemonic } from '../isa/mips/encodings.ts'
import { type Assembler, encodingOf } from '../oracle/assembler.ts'
import { randomDouble, randomSingle, randomWords } from '../softfloat/test-patterns.ts'
import { position, type TestMachine, testMachine } from '../test-machine.ts'

const PROGRAMS = 80
const LENGTH = 700
const CODE_LENGTH = 24
const DATA = 0x8000_4000
const DATA_DOUBLES = 64
const ARENA_WORDS = 20_000
const STATUS_CU1 = 0x2000_0000
const STATUS_FR = 0x0400_0000
const [AT_DATA, COUNT] = [4, 5]

type Random = (below: number) => number

/** Arithmetic and comparisons, and bit operations on registers. */
const ON_REGISTERS = encodings
  .map(({ mnemonic }) => mnemonic)
  .filter((mnemonic) => {
    const last = mnemonic.split('.').at(-1)!
    return mnemonic.includes('.') && ['s', 'd', 'w', 'l'].includes(last)
  })

function onRegisters(at: Assembler, random: Random, mnemonic: Mnemonic): void {
  const { fields } = encodingOf(mnemonic)
  const oneIn = /\.[dl](\.|$)/.test(mnemonic) ? 64 : 3
  const values: Record<string, number> = {}
  for (const [letter, { bits }] of Object.entries(fields)) {
    // Few registers: what one instruction makes, the next is to use. An odd one is half a double or, with FR = 0, no double.
    values[letter] = 'RSTD'.includes(letter) ? 2 * random(4) + (random(oneIn) === 0 ? 1 : 0) : random(2 ** bits)
  }
  at.emit(mnemonic, values)
}

/** With FR = 0 there are no 64-bit integers. */
const isReserved = (mnemonic: Mnemonic, fr: boolean): boolean => !fr && /\.l(\.|$)/.test(mnemonic)

function anInstruction(at: Assembler, random: Random, place: number, fr: boolean): void {
  const register = () => random(8)
  const even = () => 2 * random(4)
  const i = () => 8 * random(DATA_DOUBLES - CODE_LENGTH)
  const choices: (() => unknown)[] = [
    () => at.emit('ldc1', { s: AT_DATA, T: even(), i: i() }),
    () => at.emit('lwc1', { s: AT_DATA, T: register(), i: i() + 4 * random(2) }),
    () => at.emit('sdc1', { s: AT_DATA, T: even(), i: i() }),
    () => at.emit('swc1', { s: AT_DATA, T: register(), i: i() + 4 * random(2) }),
    () => at.emit('mtc1', { t: 8 + random(2), S: register() }),
    () => at.emit('mfc1', { t: 8 + random(2), S: register() }),
    () => at.emit('mthc1', { t: 8 + random(2), S: even() }),
    () => at.emit('cfc1', { t: 8 + random(2), S: 31 }),
    () => at.emit('ctc1', { t: 16 + random(4), S: 31 }),
    () => {
      at.branch(random(2) === 0 ? 'bc1t' : 'bc1f', { c: random(8) }, `after ${place}`)
      onRegisters(at, random, random(2) === 0 ? 'add.d' : 'c.cond.d')
      onRegisters(at, random, 'mul.s')
      at.label(`after ${place}`)
    },
  ]
  if (random(3) === 0) choices[random(choices.length)]!()
  else {
    const mnemonic = random(5) === 0 ? 'c.cond.s' : ON_REGISTERS[random(ON_REGISTERS.length)]!
    if (!isReserved(mnemonic, fr)) onRegisters(at, random, mnemonic)
  }
}

interface Program {
  seed: number
  fr: boolean
}

/** Modes that $16 to $19 hold: the usual one twice. */
const MODES = [0, 0, 0x0100_0001, 0x0000_0f80] as const

function emitProgram(at: Assembler, { seed, fr }: Program): void {
  const words = randomWords(seed)
  const random: Random = (below) => words() % below
  at.constant(8, STATUS_CU1 | (fr ? STATUS_FR : 0)).emit('mtc0', { t: 8, d: 12 })
  at.constant(AT_DATA, DATA).emit('addiu', { t: COUNT, i: CODE_LENGTH })
  for (const [place, mode] of MODES.entries()) at.constant(16 + place, mode)
  for (let register = 0; register < 8; register += 2) {
    at.emit('ldc1', { s: AT_DATA, T: register, i: 8 * random(DATA_DOUBLES) })
  }
  at.label('again')
  for (let place = 0; place < CODE_LENGTH; place++) anInstruction(at, random, place, fr)
  at.emit('addiu', { s: COUNT, t: COUNT, i: -1 }).emit('addiu', { s: AT_DATA, t: AT_DATA, i: 8 })
  at.branch('bne', { s: COUNT, t: 0 }, 'again')
  onRegisters(at, random, 'sub.d')
  at.label('end').branch('beq', {}, 'end').nop()
}

function makeMachine(program: Program, tiers: TierOptions): TestMachine {
  const machine = testMachine((at) => emitProgram(at, program), {
    ...tiers,
    arenaWords: ARENA_WORDS,
    // Goes on after the instruction at fault; in a delay slot, after the branch's.
    handler: (at) => {
      at.emit('mfc0', { t: 27, d: 14 }).emit('mfc0', { t: 26, d: 13 }).emit('addiu', { s: 27, t: 27, i: 4 })
      at.branch('bgez', { s: 26 }, 'on').emit('ctc1', { t: 0, S: 31 }).emit('addiu', { s: 27, t: 27, i: 4 })
      at.label('on').emit('mtc0', { t: 27, d: 14 }).emit('eret').nop()
    },
  })
  const next = randomWords(program.seed)
  const data = new BigUint64Array(2 * DATA_DOUBLES)
  for (let place = 0; place < data.length; place++) {
    const pair = randomSingle(next) | (randomSingle(next) << 32n)
    data[place] = next() % 3 === 0 ? pair : next() % 4 === 0 ? randomDouble(next) : ordinary(next)
  }
  machine.cpu.writeBacking(DATA & 0x1fff_ffff, new Uint8Array(data.buffer))
  return machine
}

/** A number between 1/8 and 8, of many bits or few. */
function ordinary(next: () => number): bigint {
  const bits = (0x3fcn << 52n) + (BigInt(next() % 6) << 52n) + (BigInt(next() % 2) << 63n)
  return bits | (BigInt(next() & 0xfffff) << 32n) | (next() % 2 === 0 ? BigInt(next()) : 0n)
}

interface Outcome {
  registers: number
  memory: unknown
}

/** The outcome at each of the stops. */
function run(program: Program, tiers: TierOptions, stops: readonly number[]): Outcome[] {
  const machine = makeMachine(program, tiers)
  return stops.map((stop) => {
    machine.runTo(stop)
    if (position(machine) !== stop) throw new Error(`stopped at ${position(machine)}, not at ${stop}`)
    return { registers: machine.cpu.hashRegisters(), memory: machine.cpu.hashMemory() }
  })
}

t.test('random floating-point code does the same interpreted and translated', async (t) => {
  const seed = Number(process.env['ANANKE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}`)
  const words = randomWords(seed)
  const random: Random = (below) => words() % below
  for (let number = 0; number < PROGRAMS; number++) {
    const program = { seed: words(), fr: random(2) === 0 }
    const stops: number[] = []
    for (let stop = 1 + random(60); stop < LENGTH; stop += 1 + random(60)) stops.push(stop)
    const interpreted = run(program, { hotEntries: 0 }, stops)
    for (const hotEntries of [1, 3]) {
      const name = `program ${number}, translated after ${hotEntries} entries`
      t.same(run(program, { hotEntries }, stops), interpreted, name)
    }
  }
})
