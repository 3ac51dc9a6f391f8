/** Coprocessor 0: registers and their side effects, the TLB, interrupts, user mode, reserved instructions. */
import { encodings, type Mnemonic } from '../isa/mips/encodings.ts'
import { word } from './assembler.ts'
import { type CaseList, STATUS_KERNEL } from './case-list.ts'
import { END, RELOCATED_EBASE } from './harness.ts'

const EHB = word('sll', { a: 3 })
const INDEX = 0
const ENTRY_LO0 = 2
const ENTRY_LO1 = 3
const PAGE_MASK = 5
const ENTRY_HI = 10
const STATUS = 12
const CAUSE = 13
const EPC = 14
const COUNT = 9
const COMPARE = 11
const ERROR_EPC = 30
const STATUS_EXL = 2
const STATUS_ERL = 4
const CAUSE_DC = 1 << 27
const CAUSE_IP7 = 1 << 15

/** Registers that keep what is written, or part of it: number, select. */
const WRITABLE: ReadonlyArray<readonly [name: string, register: number, select: number]> = [
  ['Index', 0, 0],
  ['EntryLo0', 2, 0],
  ['EntryLo1', 3, 0],
  ['Context', 4, 0],
  ['PageMask', 5, 0],
  ['Wired', 6, 0],
  ['HWREna', 7, 0],
  ['BadVAddr', 8, 0],
  ['EntryHi', 10, 0],
  ['Compare', 11, 0],
  ['IntCtl', 12, 1],
  ['SRSCtl', 12, 2],
  ['EPC', 14, 0],
  ['PRId', 15, 0],
  ['EBase', 15, 1],
  ['Config', 16, 0],
  ['Config1', 16, 1],
  ['Config2', 16, 2],
  ['Config3', 16, 3],
  ['LLAddr', 17, 0],
  ['TagLo', 28, 0],
  ['DataLo', 28, 1],
  ['ErrorEPC', 30, 0],
]

const mtc0 = (t: number, d: number, e = 0): number => word('mtc0', { t, d, e })
const mfc0 = (t: number, d: number, e = 0): number => word('mfc0', { t, d, e })

/** Reads, writes, reads, and puts back what was there. */
function addRegisters(list: CaseList, count: number): void {
  for (const [name, register, select] of WRITABLE) {
    for (let index = 0; index < count; index++) {
      const before = mfc0(5, register, select)
      const change = [mtc0(4, register, select), EHB, mfc0(6, register, select), mtc0(5, register, select), EHB]
      list.add(index % 2 === 0 ? 'mtc0' : 'mfc0', `mtc0 ${name}`, [before, ...change])
    }
  }
  for (const register of [12, 13, 14, 16]) {
    for (let select = 0; select < 4; select++)
      list.add('mfc0', `mfc0 ${register},${select}`, [mfc0(4, register, select)])
  }
}

/** Status and Cause, whose bits act at once; the vectors stay where they are and no mode without us is entered. */
function addStatusAndCause(list: CaseList, count: number): void {
  const { source } = list
  for (let index = 0; index < count; index++) {
    // BEV, ERL, KSU, IE and FR stay clear.
    const status = source.word() & ~0x0440001d
    list.add('mtc0', 'mtc0 Status', [mfc0(5, STATUS), mtc0(4, STATUS), EHB, mfc0(6, STATUS)], { gpr: { 4: status } })
    const cause = source.word()
    const stop = [mtc0(4, CAUSE), EHB, mfc0(6, CAUSE), mtc0(0, CAUSE), EHB]
    list.add('mtc0', 'mtc0 Cause', stop, { gpr: { 4: cause } })
    const inStatus = { gpr: { 4: source.word() }, status: STATUS_KERNEL | (source.oneIn(2) ? 1 : 0) }
    list.add('di', 'di', [word('di', { t: 6 }), EHB, mfc0(7, STATUS)], inStatus)
    list.add('ei', 'ei', [word('ei', { t: 6 }), EHB, mfc0(7, STATUS), word('di', { t: 8 }), EHB], inStatus)
  }
}

/** Software interrupts: at once when enabled, through either vector, in a branch's delay slot too. */
function addInterrupts(list: CaseList): void {
  for (const iv of [0, 1 << 23]) {
    for (const mask of [0, 0x100, 0x200, 0x300]) {
      for (const raised of [0x100, 0x200, 0x300]) {
        const cause = [mtc0(4, CAUSE), EHB, word('addiu', { s: 5, t: 5, i: 1 }), word('addiu', { s: 5, t: 5, i: 1 })]
        const status = STATUS_KERNEL | mask | 1
        list.add('mtc0', 'software interrupt by Cause', cause, { gpr: { 4: raised | iv }, status, cp0: { Cause: iv } })
        const enable = [word('ei', { t: 6 }), EHB, word('addiu', { s: 5, t: 5, i: 1 })]
        const masked = { status: STATUS_KERNEL | mask, cp0: { Cause: raised | iv } }
        list.add('ei', 'software interrupt by ei', enable, masked)
        list.add('mtc0', 'software interrupt by Status', [mtc0(4, STATUS), EHB, word('addiu', { s: 5, t: 5, i: 1 })], {
          ...masked,
          gpr: { 4: status },
        })
        const pending = { status, cp0: { Cause: raised | iv } }
        list.add('eret', 'software interrupt after eret', [word('addiu', { s: 5, t: 5, i: 1 })], pending)
      }
    }
  }
}

/** Until Compare, more than pass before it is written: Count would have to wrap first. */
const TIMER_TICKS = 2000

/** Count stands still while Cause.DC is set; writing Compare takes the timer's interrupt back. */
function addTimer(list: CaseList, count: number): void {
  const stop = [mtc0(4, CAUSE), EHB, mtc0(5, COUNT), EHB, mfc0(6, COUNT), mfc0(7, COUNT), mtc0(0, CAUSE), EHB]
  for (let index = 0; index < count; index++) list.add('mtc0', 'Count with Cause.DC', stop, { gpr: { 4: CAUSE_DC } })
  const wait = [mfc0(5, CAUSE), word('and', { s: 5, t: 6, d: 5 }), word('beq', { s: 5, t: 0, i: -3 }), 0]
  const fire = [mfc0(4, COUNT), word('addu', { s: 4, t: 8, d: 4 }), mtc0(4, COMPARE), ...wait]
  const after = [mtc0(4, COMPARE), EHB, mfc0(7, CAUSE), word('and', { s: 7, t: 6, d: 7 }), word('addu', { d: 4 })]
  list.add('mtc0', 'timer', [...fire, ...after], { gpr: { 6: CAUSE_IP7, 8: TIMER_TICKS } })
}

/** Exceptions at exception level, at error level, by relocated vectors, and the ways out. */
function addLevels(list: CaseList): void {
  const level = (bit: number): number => STATUS_KERNEL | bit
  const enter = [mtc0(4, STATUS), EHB]
  const load = word('lw', { s: 5, t: 6, i: 0 })
  for (const address of [0x00400000, 0xc0000000, 0x00000001, 0x80000002]) {
    for (const bit of [STATUS_EXL, STATUS_ERL]) {
      const gpr = { 4: level(bit), 5: address }
      list.add('lw', `lw at Status level ${bit}`, [...enter, load], { gpr, clearTlb: true })
    }
  }
  const low = { gpr: { 4: level(STATUS_ERL), 5: list.data & 0x1fffffff }, clearTlb: true }
  list.add('lw', 'lw from kuseg, unmapped', [...enter, load], low)
  for (const instruction of [word('syscall'), word('break'), word('teq'), 0x60000000]) {
    list.add('mtc0', 'exception at EXL', [...enter, 0, instruction], { gpr: { 4: level(STATUS_EXL) } })
    const relocate = { gpr: { 4: 0x80000000 + RELOCATED_EBASE } }
    list.add('mtc0', 'exception with EBase', [mtc0(4, 15, 1), EHB, instruction], relocate)
  }
  for (const [bit, register] of [
    [STATUS_EXL, EPC],
    [STATUS_ERL, ERROR_EPC],
    [STATUS_EXL | STATUS_ERL, ERROR_EPC],
  ] as const) {
    const leave = [...enter, mtc0(5, register), EHB, word('eret'), word('addiu', { s: 6, t: 6, i: 1 }), END, END]
    list.add('eret', `eret at level ${bit}`, leave, { gpr: { 4: level(bit), 5: list.slot + 28 } })
  }
  const broken = [word('ll', { s: 5, t: 6 }), ...enter, mtc0(7, EPC), EHB, word('eret'), 0, word('sc', { s: 5, t: 6 })]
  list.add('eret', 'eret breaks the link', broken, { gpr: { 4: level(STATUS_EXL), 5: list.data, 7: list.slot + 28 } })
}

/** Writes a TLB entry from registers 4 to 8, at an index below 16. */
const WRITE_ENTRY = [mtc0(4, ENTRY_HI), mtc0(5, ENTRY_LO0), mtc0(6, ENTRY_LO1), mtc0(7, PAGE_MASK), mtc0(8, INDEX), EHB]
const PAGE_MASKS = [0, 0x6000, 0x1e000, 0x7e000, 0x1fe000, 0x7fe000, 0x1ffe000]

interface EntryValues {
  [register: number]: number
}

function entryLo(list: CaseList, flags: number): number {
  return (((list.data & 0x1ffff000) >>> 12) << 6) | (3 << 3) | flags
}

function randomEntry(list: CaseList): EntryValues {
  const { source } = list
  const flags = (): number => source.pick([0, 1, 2, 3, 4, 5, 6, 7, 7, 7])
  return {
    4: (source.pick([0x00400000, 0x7fffe000, 0xc0000000, 0xffffe000]) | source.below(4)) >>> 0,
    5: entryLo(list, flags()),
    6: entryLo(list, flags()),
    7: source.pick([0, 0, 0, ...PAGE_MASKS]),
    8: source.below(16),
  }
}

/** Write, read back, probe, access through the mapping: loads, stores, code. */
function addTlb(list: CaseList, count: number): void {
  const { source } = list
  const read = [word('tlbr'), mfc0(9, ENTRY_HI), mfc0(10, ENTRY_LO0), mfc0(11, ENTRY_LO1), mfc0(12, PAGE_MASK)]
  for (let index = 0; index < count; index++) {
    const usual = { clearTlb: true }
    const arbitrary = {
      4: source.word(),
      5: source.word(),
      6: source.word(),
      7: source.pick(PAGE_MASKS),
      8: source.below(16),
    }
    list.add('tlbr', 'tlbwi, tlbr', [...WRITE_ENTRY, word('tlbwi'), ...read], { ...usual, gpr: arbitrary })
    const entry = randomEntry(list)
    const probeFor = source.pick([entry[4]!, entry[4]! ^ 1, entry[4]! ^ 0x2000, source.word()])
    const probe = [...WRITE_ENTRY, word('tlbwi'), mtc0(9, ENTRY_HI), EHB, word('tlbp'), EHB, mfc0(10, INDEX)]
    list.add('tlbp', 'tlbwi, tlbp', probe, { ...usual, gpr: { ...entry, 9: probeFor } })
    addMapped(list, source.oneIn(4) ? 'tlbwr' : 'tlbwi')
  }
}

/** An access through an entry; half of those in user mode. */
function addMapped(list: CaseList, write: 'tlbwi' | 'tlbwr'): void {
  const { source } = list
  const entry = randomEntry(list)
  const pageBytes = ((entry[7]! | 0x1fff) + 1) / 2
  // Even and odd page both lead to the page, of its size, in which the data stands.
  const offset = (list.data & (pageBytes - 1)) + (source.oneIn(2) ? pageBytes : 0)
  const base = ((entry[4]! & ~(entry[7]! | 0x1fff)) + offset) >>> 0
  const access = source.pick(['lw', 'sw', 'lb', 'sb', 'll', 'sh', 'lwl', 'swr'] as const)
  const { word: instruction, name } = list.instruction(access, { s: 13, i: source.below(8) * 4, t: 14 })
  const asid = source.oneIn(3) ? [mtc0(9, ENTRY_HI), EHB] : []
  const gpr = { ...entry, 9: source.below(4), 13: base }
  list.add(write, `${write}, ${name}`, [...WRITE_ENTRY, word(write), ...asid, instruction], { clearTlb: true, gpr })
}

/** Puts the rest of the slot into user space by a TLB entry, and goes there by `eret`. */
function addUserMode(
  list: CaseList,
  of: Mnemonic,
  name: string,
  instruction: number,
  status: number,
  gpr: EntryValues,
): void {
  const userPc = 0x00400000 | (list.slot & 0x1fff)
  const lo = (slot: number): number => (((slot & 0x1fffffff) >>> 12) << 6) | (3 << 3) | 7
  const even = list.slot & ~0x1fff
  const enter = [mtc0(4, ENTRY_HI), mtc0(5, ENTRY_LO0), mtc0(6, ENTRY_LO1), EHB, word('tlbwi')]
  const leave = [mtc0(7, EPC), mtc0(8, STATUS), EHB, word('eret')]
  list.add(of, `user mode: ${name}`, [...enter, ...leave, instruction], {
    clearTlb: true,
    gpr: { ...gpr, 4: 0x00400000, 5: lo(even), 6: lo(even + 0x1000), 7: userPc + 36, 8: status },
  })
}

const USER_STATUS = 0x20000012

function addUserModes(list: CaseList): void {
  for (const { mnemonic, match } of encodings) {
    if (match >>> 26 !== 0x10 && mnemonic !== 'cache') continue
    const { word: instruction, name } = list.instruction(mnemonic, { s: 13, d: 12, e: 0 })
    addUserMode(list, mnemonic, name, instruction, USER_STATUS, { 13: list.data })
  }
  for (const mnemonic of ['lw', 'sw', 'lb', 'swl', 'll', 'sc', 'lwc1', 'sdc1', 'pref'] as const) {
    for (const base of [list.data, 0xa0000000, 0xc0000000, 0x80000001, 0x00800000]) {
      const { word: instruction, name } = list.instruction(mnemonic, { s: 13, i: 0 })
      addUserMode(list, mnemonic, `${name} at ${base.toString(16)}`, instruction, USER_STATUS, { 13: base })
    }
  }
  for (const target of [0x80000000, 0x00400002, 0xc0000000]) {
    const { word: instruction, name } = list.instruction('jr', { s: 13, h: 0 })
    addUserMode(list, 'jr', name, instruction, USER_STATUS, { 13: target })
  }
  for (const mnemonic of ['add.s', 'mfc1', 'bc1t', 'movf', 'madd.d'] as const) {
    const { word: instruction, name } = list.instruction(mnemonic, { d: 3, i: 1, D: 2, S: 4, T: 6, R: 8 })
    addUserMode(list, mnemonic, `${name}, no CU1`, instruction, 0x00000012, {})
  }
}

/** Hardware registers, by kernel and user, allowed and not. */
function addRdhwr(list: CaseList): void {
  for (const d of [0, 1, 3, 4, 5, 28, 31]) {
    const { word: instruction, name } = list.instruction('rdhwr', { d, t: 9 })
    list.add('rdhwr', name, [instruction])
    for (const allowed of [0, 0xf]) {
      const give = [mtc0(10, 7), EHB]
      list.add('rdhwr', `${name} HWREna ${allowed}`, [...give, instruction], { gpr: { 10: allowed } })
    }
    addUserMode(list, 'rdhwr', name, instruction, USER_STATUS, {})
  }
}

/**
 * Major opcodes and functions that no row has, and QEMU's 24Kf neither (it has MIPS16's `jalx` and EJTAG's `sdbbp`).
 */
const RESERVED = [
  ...[0x60000000, 0x64000000, 0x68000000, 0x6c000000, 0x9c000000, 0xb0000000, 0xb4000000],
  ...[0xd0000000, 0xdc000000, 0xec000000, 0xf0000000, 0xfc000000],
  ...[0x0000000e, 0x00000014, 0x00000015, 0x00000017, 0x0000001c, 0x00000028, 0x0000002c, 0x0000003f],
  ...[0x04040000, 0x04070000, 0x040d0000, 0x040f0000, 0x04140000, 0x041e0000, 0x70000003, 0x7c000001],
  ...[0x46000018, 0x46200021, 0x46800000, 0x46a00024, 0x4c000010],
]

function addReserved(list: CaseList): void {
  for (const value of RESERVED) list.add('break', `reserved ${value.toString(16)}`, [value >>> 0], { clearTlb: true })
  // Coprocessor 2 is not there: unusable, then reserved.
  for (const status of [STATUS_KERNEL, STATUS_KERNEL | 0x40000000]) {
    for (const value of [0x48000000, 0x4a000001, 0xc8000000, 0xe8000000, 0xd8000000, 0xf8000000]) {
      list.add('break', `coprocessor 2 ${value.toString(16)}`, [value], { status, clearTlb: true })
    }
  }
}

function addShadow(list: CaseList): void {
  for (const mnemonic of ['rdpgpr', 'wrpgpr'] as const) {
    for (let count = 0; count < 8; count++) {
      const { word: instruction, name } = list.instruction(mnemonic)
      list.add(mnemonic, name, [instruction])
    }
  }
}

export function addSystemCases(list: CaseList, casesPerEncoding: number): void {
  addRegisters(list, Math.ceil(casesPerEncoding / 4))
  addStatusAndCause(list, casesPerEncoding)
  addInterrupts(list)
  addTimer(list, casesPerEncoding)
  addLevels(list)
  addTlb(list, casesPerEncoding * 2)
  addUserModes(list)
  addRdhwr(list)
  addReserved(list)
  addShadow(list)
}
