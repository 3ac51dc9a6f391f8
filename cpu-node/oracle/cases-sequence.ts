/**
 * Several instructions in a row, so that what is true of each alone stays true in a block: faults in its middle, loops, values
 * passed on in registers and memory, code that changes itself.
 */
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { randomDouble, randomSingle } from '../softfloat/test-patterns.ts'
import { word } from './assembler.ts'
import { type CaseList, STATUS_KERNEL } from './case-list.ts'
import { DATA_BYTES, SLOT_WORDS } from './harness.ts'

const ARITHMETIC: readonly Mnemonic[] = [
  ...(['sll', 'srl', 'rotr', 'sra', 'sllv', 'srlv', 'rotrv', 'srav', 'movz', 'movn', 'movf', 'movt'] as const),
  ...(['addu', 'subu', 'and', 'or', 'xor', 'nor', 'slt', 'sltu', 'mul', 'clz', 'clo', 'wsbh', 'seb', 'seh'] as const),
  ...(['addiu', 'slti', 'sltiu', 'andi', 'ori', 'xori', 'lui'] as const),
  ...(['mfhi', 'mthi', 'mflo', 'mtlo', 'mult', 'multu', 'div', 'divu', 'madd', 'maddu', 'msub', 'msubu'] as const),
]
const FAULTING: readonly Mnemonic[] = ['add', 'sub', 'addi', 'tlt', 'tge', 'teq', 'tgei', 'tnei']
/** Not `ll` and `sc`: other stores between, or another address, make them unpredictable. */
const MEMORY: readonly Mnemonic[] = [
  ...(['lb', 'lh', 'lwl', 'lw', 'lbu', 'lhu', 'lwr', 'sb', 'sh', 'swl', 'sw', 'swr'] as const),
  ...(['lwc1', 'ldc1', 'swc1', 'sdc1'] as const),
]
const FLOAT: readonly Mnemonic[] = [
  ...(['add.s', 'sub.s', 'mul.s', 'div.s', 'sqrt.s', 'neg.s', 'mov.s', 'c.cond.s', 'movt.s', 'madd.s'] as const),
  ...(['add.d', 'sub.d', 'mul.d', 'div.d', 'sqrt.d', 'neg.d', 'mov.d', 'c.cond.d', 'movf.d', 'nmsub.d'] as const),
  ...(['cvt.d.s', 'cvt.s.d', 'cvt.w.d', 'cvt.d.w', 'trunc.w.s', 'mfc1', 'mtc1', 'mfhc1', 'mthc1'] as const),
]
/** Registers that sequences compute in; the ones from here on hold addresses and counts. */
const FREE_REGISTERS = 12
const DATA = 16
const COUNT = 17
const CODE = 18

const alignment = (mnemonic: Mnemonic): number => {
  if (/^(ldc1|sdc1)$/.test(mnemonic)) return 8
  if (/^(lw|sw|lwc1|swc1)$/.test(mnemonic)) return 4
  return mnemonic === 'lh' || mnemonic === 'lhu' || mnemonic === 'sh' ? 2 : 1
}

/** One instruction of a sequence; one in `faults` may fault. */
function any(list: CaseList, faults: number): number {
  const { source } = list
  const free = (): number => source.below(FREE_REGISTERS)
  const even = (): number => source.below(16) * 2
  const registers = { s: free(), t: free(), d: free(), R: even(), S: even(), T: even(), D: even() }
  const mayFault = source.oneIn(faults)
  const choice = source.below(8)
  if (mayFault && choice < 4) return list.instruction(source.pick(FAULTING), registers).word
  if (choice < 4) return list.instruction(source.pick(ARITHMETIC), registers).word
  if (choice < 6) {
    const mnemonic = source.pick(MEMORY)
    const step = mayFault ? 1 : alignment(mnemonic)
    return list.instruction(mnemonic, { ...registers, s: DATA, i: source.below((DATA_BYTES - 8) / step) * step }).word
  }
  return list.instruction(source.pick(FLOAT), registers).word
}

function floatRegisters(list: CaseList): Map<number, bigint> {
  const { source } = list
  const registers = new Map<number, bigint>()
  for (let register = 0; register < 32; register += 2) {
    const single = (): bigint => randomSingle(source.next)
    registers.set(register, source.oneIn(2) ? randomDouble(source.next) : single() | (single() << 32n))
  }
  return registers
}

function situation(list: CaseList, count: number) {
  const { source } = list
  const gpr = { [DATA]: list.data, [COUNT]: count, [CODE]: list.slot }
  const fcsr = source.below(4) | (source.oneIn(4) ? 1 << 24 : 0)
  return { gpr, fcsr, fpr: floatRegisters(list), status: STATUS_KERNEL }
}

function addStraight(list: CaseList): void {
  const length = 4 + list.source.below(SLOT_WORDS - 5)
  const code = Array.from({ length }, () => any(list, 6))
  list.add('addu', 'sequence', code, situation(list, 0))
}

/** A loop of some rounds, its delay slot filled. */
function addLoop(list: CaseList): void {
  const length = 3 + list.source.below(SLOT_WORDS - 8)
  const body = Array.from({ length }, () => any(list, 20))
  const step = word('addiu', { s: COUNT, t: COUNT, i: -1 })
  const back = word('bne', { s: COUNT, t: 0, i: -(length + 2) })
  list.add('bne', 'loop', [...body, step, back, any(list, 20)], situation(list, 1 + list.source.below(6)))
}

/**
 * A loop that stores into its own next round: word `changed` is replaced by another instruction, and made visible as the
 * manual asks (MD00086, SYNCI): synci, then jr.hb.
 */
function addSelfModifying(list: CaseList): void {
  const changed = 1 + list.source.below(3)
  const body = Array.from({ length: 4 }, () => any(list, 1000))
  const store = word('sw', { s: CODE, t: COUNT + 2, i: 4 * changed })
  const visible = [word('synci', { s: CODE, i: 4 * changed }), word('sync')]
  const count = [word('addiu', { s: COUNT, t: COUNT, i: -1 }), word('beq', { s: COUNT, t: 0, i: 3 }), 0]
  const back = [word('jr', { s: CODE, h: 16 }), 0]
  const usual = situation(list, 2)
  const gpr = { ...usual.gpr, [COUNT + 2]: any(list, 1000) }
  list.add('synci', 'self-modifying', [...body, store, ...visible, ...count, ...back], { ...usual, gpr })
}

export function addSequenceCases(list: CaseList, count: number): void {
  for (let index = 0; index < count; index++) {
    addStraight(list)
    addLoop(list)
    if (index % 4 === 0) addSelfModifying(list)
  }
}
