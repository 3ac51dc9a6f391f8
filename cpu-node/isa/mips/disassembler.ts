/** MIPS assembler text from instruction words, by the operands of each encoding's row. */
import { type Encoding, fieldOf } from '../encoding.ts'
import type { Mnemonic } from './encodings.ts'
import { decoder } from './lift.ts'

const REGISTERS =
  'zero at v0 v1 a0 a1 a2 a3 t0 t1 t2 t3 t4 t5 t6 t7 s0 s1 s2 s3 s4 s5 s6 s7 t8 t9 k0 k1 gp sp fp ra'.split(' ')

/** The `nnnn` of C.cond.fmt. */
const CONDITIONS = 'f un eq ueq olt ult ole ule sf ngle seq ngl lt nge le ngt'.split(' ')

/** Names of the CP0 registers that have one, by `register.select`. */
const CP0_REGISTERS: Readonly<Record<string, string>> = {
  '0.0': 'Index',
  '1.0': 'Random',
  '2.0': 'EntryLo0',
  '3.0': 'EntryLo1',
  '4.0': 'Context',
  '4.2': 'UserLocal',
  '5.0': 'PageMask',
  '6.0': 'Wired',
  '7.0': 'HWREna',
  '8.0': 'BadVAddr',
  '9.0': 'Count',
  '10.0': 'EntryHi',
  '11.0': 'Compare',
  '12.0': 'Status',
  '12.1': 'IntCtl',
  '12.2': 'SRSCtl',
  '13.0': 'Cause',
  '14.0': 'EPC',
  '15.0': 'PRId',
  '15.1': 'EBase',
  '16.0': 'Config',
  '16.1': 'Config1',
  '16.2': 'Config2',
  '16.3': 'Config3',
  '17.0': 'LLAddr',
  '30.0': 'ErrorEPC',
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`

/**
 * The instruction `word` at virtual `pc`, such as `addiu sp, sp, -32`; a word that is none as `.word 0x...`.
 */
export function disassemble(word: number, pc: number): string {
  if (word === 0) return 'nop'
  const encoding = decoder.decode(word >>> 0)
  if (encoding === undefined) return `.word ${hex(word)}`
  const operands = encoding.operands
    .split(/([, ()]+)/)
    .map((part) => (/^[\w$]+$/.test(part) ? operand(encoding, part, word, pc) : part))
    .join('')
  const mnemonic = encoding.mnemonic.replace('cond', () => CONDITIONS[fieldOf(encoding, 'n', word)]!)
  return `${mnemonic} ${operands}`.trimEnd()
}

function operand(encoding: Encoding<Mnemonic>, part: string, word: number, pc: number): string {
  const field = (letter: string) => fieldOf(encoding, letter, word)
  const signed = (word << 16) >> 16
  switch (part) {
    case 's':
    case 't':
      return REGISTERS[field(part)]!
    case 'd':
      return REGISTERS[field('d')]!
    case 'D':
    case 'S':
    case 'T':
    case 'R':
      return `f${field(part)}`
    case 'i':
      return String(signed)
    case 'u':
      return hex(signed & 0xffff)
    case 'b':
      return hex(pc + 4 + 4 * signed)
    case 'j':
      return hex(((pc + 4) & 0xf000_0000) | (field('j') << 2))
    case 'm':
      // MSBD of EXT is its width less one, MSB of INS the last bit.
      return String(encoding.mnemonic === 'ext' ? field('m') + 1 : field('m') - field('l') + 1)
    case 'a':
    case 'l':
    case 'e':
      return String(field(part))
    case 'C0':
      return CP0_REGISTERS[`${field('d')}.${field('e')}`] ?? `$${field('d')}, ${field('e')}`
    case '$d':
      return `$${field('d')}`
    case 'CS':
      return `$${field('S')}`
    case 'c':
      return `fcc${field('c')}`
    default:
      return hex(field(part))
  }
}
