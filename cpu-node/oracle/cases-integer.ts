/** Arithmetic, logic, shifts, multiplication, conditional moves, traps and bit fields: one instruction a case. */
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { type CaseList, STATUS_KERNEL } from './case-list.ts'

const INTEGER: readonly Mnemonic[] = [
  ...(['sll', 'srl', 'rotr', 'sra', 'sllv', 'srlv', 'rotrv', 'srav', 'movz', 'movn', 'movf', 'movt'] as const),
  ...(['mfhi', 'mthi', 'mflo', 'mtlo', 'mult', 'multu', 'div', 'divu'] as const),
  ...(['add', 'addu', 'sub', 'subu', 'and', 'or', 'xor', 'nor', 'slt', 'sltu'] as const),
  ...(['addi', 'addiu', 'slti', 'sltiu', 'andi', 'ori', 'xori', 'lui'] as const),
  ...(['tge', 'tgeu', 'tlt', 'tltu', 'teq', 'tne', 'tgei', 'tgeiu', 'tlti', 'tltiu', 'teqi', 'tnei'] as const),
  ...(['madd', 'maddu', 'mul', 'msub', 'msubu', 'clz', 'clo', 'ext', 'ins', 'wsbh', 'seb', 'seh'] as const),
  ...(['syscall', 'break', 'sync'] as const),
]

/** The manual says nothing of what these leave. */
function isUnpredictable(mnemonic: Mnemonic, values: Readonly<Record<string, number>>): boolean {
  if (mnemonic === 'ext') return values['l']! + values['m']! > 31
  return mnemonic === 'ins' && values['m']! < values['l']!
}

export function addIntegerCases(list: CaseList, casesPerEncoding: number): void {
  const { source } = list
  for (const mnemonic of INTEGER) {
    for (let count = 0; count < casesPerEncoding; count++) {
      const { word, values, name } = list.instruction(mnemonic)
      if (isUnpredictable(mnemonic, values)) continue
      const gpr: Record<number, number> = {}
      // Comparisons and traps need equal operands more often than chance gives them.
      if (source.oneIn(4) && values['s'] && values['t']) {
        gpr[values['s']] = source.word()
        gpr[values['t']] = gpr[values['s']]!
      } else if (source.oneIn(4) && values['s'] && values['i'] !== undefined) {
        gpr[values['s']] = (values['i'] << 16) >> 16
      }
      const status = STATUS_KERNEL
      list.add(mnemonic, name, [word], { gpr, status, fcsr: (source.next() & 0xfe800000) >>> 0 })
    }
  }
}
