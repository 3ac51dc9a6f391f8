/**
 * Faults in every place of a hot loop, in delay slots too: translated code leaves before the instruction with the state
 * that the interpreter has there, and goes on after it. Compared after every block, and where code runs on by itself.
 */
import t from 'tap'
import { BUS_ERROR } from '../../bus/mod.ts'
import type { Mnemonic } from '../isa/mips/encodings.ts'
import type { Assembler, Fields } from '../oracle/assembler.ts'
import { DEVICE_BASE, testMachine } from '../test-machine.ts'

const [V0, V1, A0, T0, T1, T2, T3, T5, T6] = [2, 3, 4, 8, 9, 10, 11, 13, 14]
/** Rounds done; the operand that does not fault, and the one that does; where to go on after what always faults. */
const [ROUND, GOOD, BAD, ON] = [16, 17, 18, 19]
const [K0, K1, RA] = [26, 27, 31]
const [BAD_VADDR, CAUSE, EPC] = [8, 13, 14]
const ROUNDS = 12
/** In rounds 3, 7 and 11. */
const FAULTS = 3
const END = 3000

interface Fault {
  /** Faults with BAD in T5. */
  instruction(at: Assembler): unknown
  good: number
  bad: number
  /** It faults each time, or not at all: it is only the interpreter's to do. */
  faults?: 'always' | 'never'
}

const DATA = 0x8000_4000
/** A page of the TLB that may not be written, and after it one that is not mapped. */
const READ_ONLY = 0x0000_4000
const NOT_MAPPED = 0x0040_0000
const ANSWERING = DEVICE_BASE + 0x100

const FAULTING: Readonly<Record<string, Fault>> = {
  'a load that is not aligned': { instruction: (at) => at.emit('lw', { s: T5, t: T6 }), good: DATA, bad: DATA + 2 },
  'a store that is not aligned': { instruction: (at) => at.emit('sh', { s: T5, t: T6 }), good: DATA, bad: DATA + 1 },
  'a load that the TLB lacks': { instruction: (at) => at.emit('lbu', { s: T5, t: T6 }), good: DATA, bad: NOT_MAPPED },
  'a store that the TLB lacks': { instruction: (at) => at.emit('swr', { s: T5, t: T6 }), good: DATA, bad: NOT_MAPPED },
  'a store that may not be': { instruction: (at) => at.emit('sw', { s: T5, t: T6 }), good: DATA, bad: READ_ONLY },
  'a load by both ways': { instruction: (at) => at.emit('lw', { s: T5, t: T6 }), good: READ_ONLY, bad: NOT_MAPPED },
  'a bus error': { instruction: (at) => at.emit('lh', { s: T5, t: T6 }), good: DATA, bad: DEVICE_BASE },
  'a bus error of a store': { instruction: (at) => at.emit('sb', { s: T5, t: T6 }), good: DATA, bad: DEVICE_BASE },
  'a load of 64 bits': { instruction: (at) => at.emit('ldc1', { s: T5, T: 2 }), good: DATA, bad: DATA + 4 },
  'a message': { instruction: (at) => at.emit('lhu', { s: T5, t: T6 }), good: DATA, bad: ANSWERING, faults: 'never' },
  overflow: { instruction: (at) => at.emit('add', { s: T5, t: T5, d: T6 }), good: 5, bad: 0x7fff_ffff },
  'a trap': { instruction: (at) => at.emit('tne', { s: T5, t: 0 }), good: 0, bad: 1 },
  'a system call': { instruction: (at) => at.emit('syscall'), good: 0, bad: 0, faults: 'always' },
  'coprocessor 2': { instruction: (at) => at.words.push(0x4a00_0000), good: 0, bad: 0, faults: 'always' },
}

/** Over one instruction. */
interface Branch {
  mnemonic: Mnemonic
  fields: Fields
}

/** What the loop does. Before each there is a place for what faults, and in a branch's delay slot. */
const BODY: readonly (Branch | ((at: Assembler) => unknown))[] = [
  (at) => at.emit('addu', { s: T0, t: ROUND, d: T0 }),
  (at) => at.emit('sw', { s: A0, t: T0, i: 0x10 }),
  { mnemonic: 'bne', fields: { s: T0, t: T1 } },
  (at) => at.emit('mult', { s: T0, t: T1 }).emit('mflo', { d: T1 }),
  { mnemonic: 'bgezal', fields: { s: 0 } },
  (at) => at.emit('lw', { s: A0, t: T2, i: 0x10 }),
  { mnemonic: 'beql', fields: { s: T2, t: T0 } },
  { mnemonic: 'bltz', fields: { s: T1 } },
  (at) => at.emit('addiu', { s: RA, t: T3, i: 0 }),
  { mnemonic: 'bnel', fields: { s: T3, t: 0 } },
  (at) => at.emit('xor', { s: T2, t: T1, d: T1 }),
]
const PLACES = BODY.flatMap((item, index) => ('mnemonic' in item ? [index, index + 0.5] : [index]))

/** `place`: the number of an entry of `BODY`, or a half more for its delay slot. */
function programOf(fault: Fault, place: number): (at: Assembler) => void {
  return (at) => {
    at.constant(A0, DATA).constant(GOOD, fault.good).constant(BAD, fault.bad)
    at.emit('addiu', { t: K0, i: READ_ONLY }).emit('mtc0', { t: K0, d: 10 })
    at.emit('addiu', { t: K0, i: (4 << 6) | 2 }).emit('mtc0', { t: K0, d: 2 })
    at.emit('mtc0', { t: 0, d: 3 }).emit('tlbwi')
    at.branch('bgezal', { s: 0 }, 'start').emit('addu', { s: 0, t: 0, d: ON })
    at.label('next').emit('addiu', { s: ROUND, t: ROUND, i: 1 }).emit('slti', { s: ROUND, t: T6, i: ROUNDS })
    at.branch('bne', { s: T6, t: 0 }, 'loop').nop()
    at.label('end').branch('beq', {}, 'end').nop()
    at.label('start')
    if (fault.faults === 'always') at.emit('addu', { s: RA, t: 0, d: ON })
    at.label('loop').emit('addu', { s: GOOD, t: 0, d: T5 })
    // In every fourth round T5 is what faults.
    at.emit('nor', { s: ROUND, t: 0, d: T6 })
      .emit('andi', { s: T6, t: T6, i: 3 })
      .emit('movz', { s: BAD, t: T6, d: T5 })
    for (const [index, item] of BODY.entries()) {
      if (place === index) fault.instruction(at)
      if (!('mnemonic' in item)) {
        item(at)
        continue
      }
      at.branch(item.mnemonic, item.fields, `after ${index}`)
      if (place === index + 0.5) fault.instruction(at)
      else at.emit('addiu', { s: V0, t: V0, i: 1 })
      at.emit('addiu', { s: V0, t: V0, i: 0x10 }).label(`after ${index}`)
    }
    at.branch('beq', {}, 'next').emit('sw', { s: A0, t: V0, i: 0x20 })
  }
}

/** Counts and mixes up what it sees, then mends T5 and tries again, or goes on with the next round. */
function handler(at: Assembler): void {
  at.emit('addiu', { s: V1, t: V1, i: 1 })
  for (const register of [EPC, CAUSE, BAD_VADDR]) {
    at.emit('mfc0', { t: K0, d: register }).emit('rotr', { t: K1, d: K1, a: 5 }).emit('xor', { s: K1, t: K0, d: K1 })
  }
  at.branch('beq', { s: ON, t: 0 }, 'again').emit('addu', { s: GOOD, t: 0, d: T5 })
  at.emit('mtc0', { t: ON, d: EPC })
  at.label('again').emit('eret')
}

for (const [name, fault] of Object.entries(FAULTING)) {
  t.test(name, async (t) => {
    for (const [number, place] of PLACES.entries()) {
      const program = programOf(fault, place)
      const endian = number % 2 === 0 ? 'little' : 'big'
      for (const lockstep of [{}, { stride: () => END }]) {
        const machine = testMachine(program, { handler, endian, hotEntries: 2, lockstep })
        machine.port.onRead = (address) => (address === (ANSWERING & 0x1fff_ffff) ? 7 : BUS_ERROR)
        machine.runTo(END)
        t.equal(
          machine.gpr(V1),
          { always: ROUNDS, never: 0, some: FAULTS }[fault.faults ?? 'some'],
          `at place ${place}, ${endian} endian`,
        )
        t.equal(machine.gpr(ROUND), ROUNDS)
        t.ok(machine.cpu.statistics['translatedInstructions']! > 100)
      }
    }
  })
}
