/** Coprocessor 1 arithmetic: every rounding mode, flushing, enables, edge operands; with Status.FR clear and set. */
import { type Encoding, fieldOf } from '../isa/encoding.ts'
import { encodings, type Mnemonic } from '../isa/mips/encodings.ts'
import { randomDouble, randomSingle } from '../softfloat/test-patterns.ts'
import { word } from './assembler.ts'
import { type CaseList, type Source, STATUS_FR, STATUS_KERNEL } from './case-list.ts'

const FCSR_FS = 1 << 24
/** Rows with a destination or a comparison on floating-point registers, moves to and from GPRs included. */
const FLOAT = encodings.filter(({ mnemonic, match }) => {
  const opcode = match >>> 26
  return (opcode === 0x11 && !mnemonic.startsWith('bc1')) || (opcode === 0x13 && /^n?m(add|sub)/.test(mnemonic))
})
const CONTROL_REGISTERS = [0, 25, 26, 28, 31]

type Format = 's' | 'd' | 'w' | 'l'

/** The format of an operand: the mnemonic's last part; `mfc1` and its like take any bits. */
function operandFormat(mnemonic: string): Format {
  const last = mnemonic.split('.').at(-1)!
  return last === 's' || last === 'd' || last === 'w' || last === 'l' ? last : 'w'
}

/** The format of the result: for conversions the part after the name. */
function resultFormat(mnemonic: string): Format {
  const parts = mnemonic.split('.')
  return parts.length === 3 && parts[0] !== 'c' ? operandFormat(parts[1]!) : operandFormat(mnemonic)
}

const isPair = (format: Format): boolean => format === 'd' || format === 'l'

function operand(source: Source, format: Format): bigint {
  switch (format) {
    case 's':
      return randomSingle(source.next)
    case 'd':
      return randomDouble(source.next)
    case 'w':
      return BigInt(source.word())
    case 'l': {
      const value = (BigInt(source.word()) << 32n) | BigInt(source.word())
      return BigInt.asUintN(64, BigInt.asIntN(64, value) >> BigInt(source.below(64)))
    }
  }
}

/** The registers of Status.FR=0, as words, and as what the harness loads. */
function writeOperand(words: bigint[], register: number, format: Format, value: bigint): void {
  words[register] = BigInt.asUintN(32, value)
  if (isPair(format)) words[register | 1] = value >> 32n
}

function narrowRegisters(words: readonly bigint[]): Map<number, bigint> {
  const registers = new Map<number, bigint>()
  for (let pair = 0; pair < 32; pair += 2) registers.set(pair, words[pair]! | (words[pair + 1]! << 32n))
  return registers
}

function fcsr(source: Source): number {
  const rounding = source.below(4)
  const flush = source.oneIn(4) ? FCSR_FS : 0
  const conditions = source.next() & 0xfe800000
  const flags = source.oneIn(2) ? source.next() & 0x7c : 0
  const enables = source.oneIn(6) ? source.next() & 0xf80 : 0
  const cause = enables === 0 ? source.next() & 0x1f000 : 0
  return (rounding | flush | conditions | flags | enables | cause) >>> 0
}

/** Registers of one case: a double's is even unless `wide`. */
function chooseRegisters(list: CaseList, row: Encoding<Mnemonic>, wide: boolean): Record<string, number> {
  const given: Record<string, number> = {}
  for (const letter of ['R', 'S', 'T', 'D']) {
    if (row.fields[letter] === undefined) continue
    const format = letter === 'D' ? resultFormat(row.mnemonic) : operandFormat(row.mnemonic)
    const register = list.source.below(32)
    given[letter] = isPair(format) && !wide ? register & ~1 : register
  }
  if (row.mnemonic === 'cfc1' || row.mnemonic === 'ctc1') given['S'] = list.source.pick(CONTROL_REGISTERS)
  return given
}

function addFloat(list: CaseList, row: Encoding<Mnemonic>, wide: boolean): void {
  const { source } = list
  const { mnemonic } = row
  const { word: instruction, values, name } = list.instruction(mnemonic, chooseRegisters(list, row, wide))
  const format = operandFormat(mnemonic)
  const words = Array.from({ length: 32 }, () => BigInt(source.next()))
  const registers = new Map<number, bigint>()
  for (let register = 0; register < 32; register++) {
    registers.set(register, (BigInt(source.next()) << 32n) | BigInt(source.next()))
  }
  for (const letter of ['R', 'S', 'T']) {
    if (row.fields[letter] === undefined) continue
    const register = fieldOf(row, letter, instruction)
    const value = operand(source, format)
    writeOperand(words, register, format, value)
    registers.set(register, isPair(format) ? value : (registers.get(register)! & ~0xffffffffn) | value)
  }
  const gpr: Record<number, number> = {}
  if (values['t']) gpr[values['t']] = mnemonic === 'ctc1' ? fcsr(source) : source.oneIn(2) ? 0 : source.word()
  const fpr = wide ? registers : narrowRegisters(words)
  const status = STATUS_KERNEL | (wide ? STATUS_FR : 0)
  list.add(mnemonic, name, [instruction], { fpr, gpr, fcsr: fcsr(source), status })
}

export function addFloatCases(list: CaseList, casesPerEncoding: number, wide: boolean): void {
  for (const row of FLOAT) {
    // 16 conditions in one row.
    const count = row.mnemonic.startsWith('c.cond') ? 6 * casesPerEncoding : casesPerEncoding
    for (let index = 0; index < count; index++) addFloat(list, row, wide)
    if (wide) continue
    const { word: instruction, name } = list.instruction(row.mnemonic, chooseRegisters(list, row, wide))
    list.add(row.mnemonic, `${name} without CU1`, [instruction], { status: STATUS_KERNEL & ~0x20000000 })
  }
  addTrappingControl(list)
  addTiny(list)
}

/** Results on the edge between normal and denormal, where tininess before and after rounding differ. */
function addTiny(list: CaseList): void {
  const products: ReadonlyArray<readonly [Mnemonic, bigint, bigint]> = [
    ['mul.s', 0x3f800001n, 0x007fffffn],
    ['mul.s', 0x3f7fffffn, 0x00800000n],
    ['mul.s', 0x3f7fffffn, 0x00800001n],
    ['mul.d', 0x3ff0000000000001n, 0x000fffffffffffffn],
    ['mul.d', 0x3fefffffffffffffn, 0x0010000000000000n],
    ['mul.d', 0x3fefffffffffffffn, 0x0010000000000001n],
  ]
  for (const [mnemonic, a, b] of products) {
    const instruction = word(mnemonic, { S: 2, T: 4, D: 6 })
    const fpr = new Map([...[0, 6, 8].map((register) => [register, 0n] as const), [2, a] as const, [4, b] as const])
    for (const rounding of [0, 1, 2, 3]) {
      for (const flush of [0, FCSR_FS]) {
        list.add(mnemonic, `${mnemonic}, tiny`, [instruction], { fpr, fcsr: rounding | flush })
      }
    }
  }
}

/** `ctc1` with a cause that is enabled traps itself; with unimplemented operation always. */
function addTrappingControl(list: CaseList): void {
  for (const value of [0x20000, 0x1000 | 0x80, 0x10000 | 0x800, 0x1f000 | 0xf80, 0x8000 | 0x080]) {
    const instruction = word('ctc1', { t: 4, S: 31 })
    list.add('ctc1', `ctc1 of ${value.toString(16)}`, [instruction], { gpr: { 4: value } })
  }
}
