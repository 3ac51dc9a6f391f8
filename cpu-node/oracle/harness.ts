/**
 * The guest program of the differential test, and the records it works on.
 *
 * Each case has a slot of code and a record. The harness loads all registers from the record and leaves by `eret` for
 * the slot; the slot ends in an exception, its own or a `break`; the handler stores all registers back into the record,
 * and the next case begins. The last one resets the board, which stops QEMU and our own runner alike.
 *
 *     physical 0x0000    exception vectors, each: say which, go to the handler; one more at 0x4180
 *              0x1000    the harness's variables: see `VARIABLES`
 *              0x100000  the harness, the handler
 *              0x200000  code slots, SLOT_BYTES each
 *              0x2000000 records, RECORD_BYTES each
 *
 *     record   0   GPR 0 to 31     140  FCSR          176..251  CP0 in and out, see `CP0_REGISTERS`
 *              128 HI, LO          144  vector out    256       FPR 0 to 31, 64 bits each (FR=0: even ones only)
 *              136 Status          148  clear the TLB 512       DATA_BYTES of data for loads and stores
 */
import assert from 'node:assert/strict'
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { Assembler, word } from './assembler.ts'
import type { ElfSegment } from './elf.ts'

export const KSEG0 = 0x80000000
const VARIABLES = KSEG0 + 0x1000
const HARNESS = KSEG0 + 0x100000
const SLOTS = KSEG0 + 0x200000
const RECORDS = KSEG0 + 0x2000000
/** The most cases that slots and records have room for in 256 MiB. */
const MOST_CASES = 300_000
export const SLOT_BYTES = 64
export const SLOT_WORDS = SLOT_BYTES / 4
export const RECORD_BYTES = 640
export const DATA_OFFSET = 512
export const DATA_BYTES = RECORD_BYTES - DATA_OFFSET
const VARIABLE = { current: 0, savedK1: 4, vectorStride: 16, slot: 64, left: 68 }
const RECORD = { hi: 128, lo: 132, status: 136, fcsr: 140, vector: 144, clearTlb: 148, cp0: 176, fpr: 256 }
/** The board's reset register, and what to write there. */
export const SOFT_RESET = 0x1f000500
const RESET_MAGIC = 0x42
const K0 = 26
const K1 = 27
const T0 = 8
const T1 = 9
const T2 = 10
const STATUS_EXL = 2
const STATUS_FR = 1 << 26
const STATUS_CU0_CU1 = 0x30000000
const TLB_ENTRIES_CLEARED = 64

/** CP0 registers of a record, in order; `in`: loaded before the case. */
export const CP0_REGISTERS = [
  { name: 'Index', register: 0, in: true },
  { name: 'EntryLo0', register: 2, in: true },
  { name: 'EntryLo1', register: 3, in: true },
  { name: 'Context', register: 4, in: true },
  { name: 'PageMask', register: 5, in: true },
  { name: 'Wired', register: 6, in: true },
  { name: 'HWREna', register: 7, in: true },
  { name: 'BadVAddr', register: 8, in: false },
  { name: 'EntryHi', register: 10, in: true },
  { name: 'Cause', register: 13, in: true },
  { name: 'EPC', register: 14, in: false },
  { name: 'LLAddr', register: 17, in: true },
] as const

export type Cp0Name = (typeof CP0_REGISTERS)[number]['name']

/** A second base for the exception vectors, for EBase. */
export const RELOCATED_EBASE = 0x4000

/** Where an exception came in, as `Outcome.vector`. */
export const VECTORS = [
  { name: 'TLB refill', address: KSEG0 },
  { name: 'general', address: KSEG0 + 0x180 },
  { name: 'interrupt', address: KSEG0 + 0x200 },
  { name: 'relocated', address: KSEG0 + RELOCATED_EBASE + 0x180 },
] as const

/** One test case. What is not given is 0, Status 0x30000000 (kernel, both coprocessors usable). */
export interface Case {
  /** The instruction under test. */
  mnemonic: Mnemonic
  name: string
  /** The slot's words; the rest of the slot is `break`. `slotAddress` of its index is where it stands. */
  code: readonly number[]
  gpr: ReadonlyMap<number, number>
  hi: number
  lo: number
  status: number
  fcsr: number
  /** 64-bit patterns. With FR=0, register 2n holds the pair 2n, 2n+1. */
  fpr: ReadonlyMap<number, bigint>
  cp0: Partial<Record<Cp0Name, number>>
  clearTlb: boolean
  data: Uint8Array
}

export interface Program {
  entry: number
  segments: ElfSegment[]
  /** Where the records stand: physical address and length. */
  results: { address: number; length: number }
}

export const slotAddress = (index: number): number => SLOTS + SLOT_BYTES * index

export const recordAddress = (index: number): number => RECORDS + RECORD_BYTES * index

/** The `break` that ends every slot. */
export const END = word('break', { k: 0xfffff })

function vectorCode(): Array<{ address: number; words: number[] }> {
  return VECTORS.map(({ address }, index) => {
    const assembler = new Assembler(address).emit('mtc0', { t: K0, d: 30 })
    assembler.constant(K0, VARIABLES + VARIABLE.vectorStride * index)
    return { address, words: assembler.jump(HARNESS).finish() }
  })
}

/** Saves everything: k0 is in ErrorEPC, and points to the vector's variables. */
function emitHandler(a: Assembler): void {
  a.emit('sw', { t: K1, s: K0, i: VARIABLE.savedK1 })
  a.emit('addu', { s: K0, t: 0, d: K1 })
  a.emit('lw', { t: K0, s: K1, i: VARIABLE.current })
  a.emit('sw', { t: K1, s: K0, i: RECORD.vector })
  a.emit('lw', { t: K1, s: K1, i: VARIABLE.savedK1 })
  for (let register = 0; register < 32; register++) {
    if (register !== K0) a.emit('sw', { t: register, s: K0, i: 4 * register })
  }
  a.emit('mfc0', { t: K1, d: 30 }).emit('sw', { t: K1, s: K0, i: 4 * K0 })
  a.emit('mfhi', { d: T0 }).emit('sw', { t: T0, s: K0, i: RECORD.hi })
  a.emit('mflo', { d: T0 }).emit('sw', { t: T0, s: K0, i: RECORD.lo })
  a.emit('mfc0', { t: T1, d: 12 }).emit('sw', { t: T1, s: K0, i: RECORD.status })
  for (const [index, { register }] of CP0_REGISTERS.entries()) {
    a.emit('mfc0', { t: T0, d: register }).emit('sw', { t: T0, s: K0, i: RECORD.cp0 + 4 * index })
  }
  a.emit('lui', { t: T0, i: STATUS_CU0_CU1 >>> 16 })
    .emit('or', { s: T0, t: T1, d: T0 })
    .emit('mtc0', { t: T0, d: 12 })
  a.emit('sll', { a: 3 })
  a.emit('cfc1', { t: T0, S: 31 }).emit('sw', { t: T0, s: K0, i: RECORD.fcsr })
  emitFprs(a, 'sdc1', K0, 'save')
}

/** Moves all FPRs; T1 holds Status. */
function emitFprs(a: Assembler, mnemonic: 'ldc1' | 'sdc1', base: number, prefix: string): void {
  a.emit('lui', { t: T2, i: STATUS_FR >>> 16 }).emit('and', { s: T1, t: T2, d: T2 })
  a.branch('beq', { s: T2, t: 0 }, `${prefix}Even`).nop()
  for (let register = 1; register < 32; register += 2) {
    a.emit(mnemonic, { T: register, s: base, i: RECORD.fpr + 8 * register })
  }
  a.label(`${prefix}Even`)
  for (let register = 0; register < 32; register += 2) {
    a.emit(mnemonic, { T: register, s: base, i: RECORD.fpr + 8 * register })
  }
}

/** Counts, steps to the next case's record (k1) and slot (EPC); resets the board after the last. */
function emitNext(a: Assembler): void {
  a.label('next').constant(K0, VARIABLES)
  a.emit('lw', { t: T0, s: K0, i: VARIABLE.left })
  a.branch('bne', { s: T0, t: 0 }, 'more').emit('addiu', { s: T0, t: T0, i: -1 })
  a.constant(T1, 0xa0000000 + SOFT_RESET).emit('addiu', { s: 0, t: T2, i: RESET_MAGIC })
  a.emit('sw', { t: T2, s: T1, i: 0 })
  a.label('stopped').branch('beq', { s: 0, t: 0 }, 'stopped').nop()
  a.label('more').emit('sw', { t: T0, s: K0, i: VARIABLE.left })
  a.emit('lw', { t: K1, s: K0, i: VARIABLE.current }).emit('addiu', { s: K1, t: K1, i: RECORD_BYTES })
  for (let index = 0; index < VECTORS.length; index++) {
    a.emit('sw', { t: K1, s: K0, i: VARIABLE.vectorStride * index + VARIABLE.current })
  }
  a.emit('lw', { t: T0, s: K0, i: VARIABLE.slot }).emit('addiu', { s: T0, t: T0, i: SLOT_BYTES })
  a.emit('sw', { t: T0, s: K0, i: VARIABLE.slot }).emit('mtc0', { t: T0, d: 14 })
}

/** Keeps the timer from firing, puts the vectors back, fills the TLB with entries that map nothing. */
function emitQuiet(a: Assembler): void {
  a.emit('mfc0', { t: T0, d: 9 }).emit('addiu', { s: T0, t: T0, i: -1 }).emit('mtc0', { t: T0, d: 11 })
  a.emit('lui', { t: T0, i: KSEG0 >>> 16 }).emit('mtc0', { t: T0, d: 15, e: 1 })
  a.emit('lw', { t: T0, s: K1, i: RECORD.clearTlb })
  a.branch('beq', { s: T0, t: 0 }, 'cleared').nop()
  a.emit('mtc0', { t: 0, d: 2 }).emit('mtc0', { t: 0, d: 3 }).emit('mtc0', { t: 0, d: 5 })
  a.constant(T1, KSEG0).emit('addu', { s: 0, t: 0, d: T0 }).emit('addiu', { s: 0, t: T2, i: TLB_ENTRIES_CLEARED })
  a.label('clear').emit('mtc0', { t: T0, d: 0 }).emit('mtc0', { t: T1, d: 10 }).emit('sll', { a: 3 }).emit('tlbwi')
  a.emit('addiu', { s: T0, t: T0, i: 1 })
  a.branch('bne', { s: T0, t: T2 }, 'clear').emit('addiu', { s: T1, t: T1, i: 0x2000 })
  a.label('cleared')
}

/** Loads everything from the record at k1 and goes to the slot. */
function emitLoad(a: Assembler): void {
  for (const [index, entry] of CP0_REGISTERS.entries()) {
    if (!entry.in) continue
    a.emit('lw', { t: T0, s: K1, i: RECORD.cp0 + 4 * index }).emit('mtc0', { t: T0, d: entry.register })
  }
  a.emit('lw', { t: T1, s: K1, i: RECORD.status })
  a.emit('lui', { t: T0, i: STATUS_CU0_CU1 >>> 16 }).emit('or', { s: T0, t: T1, d: T0 })
  a.emit('ori', { s: T0, t: T0, i: STATUS_EXL }).emit('mtc0', { t: T0, d: 12 }).emit('sll', { a: 3 })
  a.emit('lw', { t: T0, s: K1, i: RECORD.fcsr }).emit('ctc1', { t: T0, S: 31 })
  emitFprs(a, 'ldc1', K1, 'load')
  a.emit('lw', { t: T0, s: K1, i: RECORD.hi }).emit('mthi', { s: T0 })
  a.emit('lw', { t: T0, s: K1, i: RECORD.lo }).emit('mtlo', { s: T0 })
  a.emit('ori', { s: T1, t: T1, i: STATUS_EXL }).emit('mtc0', { t: T1, d: 12 }).emit('sll', { a: 3 })
  for (let register = 1; register < 32; register++) {
    if (register !== K1) a.emit('lw', { t: register, s: K1, i: 4 * register })
  }
  a.emit('lw', { t: K1, s: K1, i: 4 * K1 }).emit('eret')
}

function harnessCode(): { entry: number; words: number[] } {
  const assembler = new Assembler(HARNESS)
  emitHandler(assembler)
  emitNext(assembler)
  emitQuiet(assembler)
  emitLoad(assembler)
  // BEV off, so that exceptions come to our vectors; EXL on, as everywhere in the harness.
  assembler
    .label('entry')
    .constant(T0, STATUS_CU0_CU1 | STATUS_EXL)
    .emit('mtc0', { t: T0, d: 12 })
  assembler.emit('sll', { a: 3 }).branch('beq', { s: 0, t: 0 }, 'next').nop()
  return { entry: assembler.addressOf('entry'), words: assembler.finish() }
}

function bytesOf(words: readonly number[], little: boolean): Uint8Array {
  const bytes = new Uint8Array(4 * words.length)
  const view = new DataView(bytes.buffer)
  for (const [index, value] of words.entries()) view.setUint32(4 * index, value, little)
  return bytes
}

function writeRecord(view: DataView, start: number, test: Case, little: boolean): void {
  const put = (offset: number, value: number): void => view.setUint32(start + offset, value, little)
  for (const [register, value] of test.gpr) put(4 * register, value)
  put(RECORD.hi, test.hi)
  put(RECORD.lo, test.lo)
  put(RECORD.status, test.status)
  put(RECORD.fcsr, test.fcsr)
  put(RECORD.clearTlb, test.clearTlb ? 1 : 0)
  for (const [index, { name }] of CP0_REGISTERS.entries()) put(RECORD.cp0 + 4 * index, test.cp0[name] ?? 0)
  for (const [register, value] of test.fpr) view.setBigUint64(start + RECORD.fpr + 8 * register, value, little)
  assert(test.data.length <= DATA_BYTES, test.name)
  new Uint8Array(view.buffer).set(test.data, start + DATA_OFFSET)
}

export function buildProgram(cases: readonly Case[], endian: 'little' | 'big'): Program {
  const little = endian === 'little'
  assert(cases.length > 0 && cases.length <= MOST_CASES)
  const slots = new Uint8Array(cases.length * SLOT_BYTES)
  const slotView = new DataView(slots.buffer)
  const recordBytes = new Uint8Array(cases.length * RECORD_BYTES)
  const recordView = new DataView(recordBytes.buffer)
  for (const [index, test] of cases.entries()) {
    assert(test.code.length < SLOT_WORDS, `${test.name}: ${test.code.length} words do not fit a slot`)
    for (let at = 0; at < SLOT_WORDS; at++) {
      slotView.setUint32(index * SLOT_BYTES + 4 * at, test.code[at] ?? END, little)
    }
    writeRecord(recordView, index * RECORD_BYTES, test, little)
  }
  const { entry, words } = harnessCode()
  const variables = new Array<number>(18).fill(0)
  for (let index = 0; index < VECTORS.length; index++) variables[4 * index] = RECORDS - RECORD_BYTES
  variables[VARIABLE.slot / 4] = SLOTS - SLOT_BYTES
  variables[VARIABLE.left / 4] = cases.length
  const segments = [
    ...vectorCode().map((vector) => ({ address: vector.address, bytes: bytesOf(vector.words, little) })),
    { address: VARIABLES, bytes: bytesOf(variables, little) },
    { address: HARNESS, bytes: bytesOf(words, little) },
    { address: SLOTS, bytes: slots },
    { address: RECORDS, bytes: recordBytes },
  ]
  return { entry, segments, results: { address: RECORDS & 0x1fffffff, length: recordBytes.length } }
}

/** What a case left behind: every register and its data, by name, in a fixed order. */
export type Outcome = ReadonlyMap<string, number | bigint | string>

/** Whether a record is untouched by the handler: its case was never reached, or never came back. */
export function isMissing(records: Uint8Array, index: number, little: boolean): boolean {
  return new DataView(records.buffer, records.byteOffset).getUint32(index * RECORD_BYTES + RECORD.vector, little) === 0
}

/** Reads the record of case `index` out of the records' bytes. */
export function readOutcome(records: Uint8Array, index: number, little: boolean): Outcome {
  const view = new DataView(records.buffer, records.byteOffset + index * RECORD_BYTES, RECORD_BYTES)
  const get = (offset: number): number => view.getUint32(offset, little)
  const outcome = new Map<string, number | bigint | string>()
  for (let register = 0; register < 32; register++) outcome.set(`$${register}`, get(4 * register))
  outcome.set('HI', get(RECORD.hi)).set('LO', get(RECORD.lo))
  outcome.set('Status', get(RECORD.status)).set('FCSR', get(RECORD.fcsr))
  const vector = VECTORS[(get(RECORD.vector) - VARIABLES) / VARIABLE.vectorStride]
  outcome.set('vector', vector?.name ?? 'never came back')
  for (const [position, { name }] of CP0_REGISTERS.entries()) outcome.set(name, get(RECORD.cp0 + 4 * position))
  for (let register = 0; register < 32; register++) {
    outcome.set(`$f${register}`, view.getBigUint64(RECORD.fpr + 8 * register, little))
  }
  const data = new Uint8Array(view.buffer, view.byteOffset + DATA_OFFSET, DATA_BYTES)
  for (let at = 0; at < DATA_BYTES; at += 8) {
    outcome.set(`data[${at}]`, Buffer.from(data.subarray(at, at + 8)).toString('hex'))
  }
  return outcome
}
