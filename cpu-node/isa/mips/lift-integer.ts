/** Arithmetic, logic, shifts, multiplication and division, moves, traps. */
import type { Binary, Compare, Value } from '../../ir/ir.ts'
import type { Field } from '../encoding.ts'
import { cc, lsb, msb, rd, rs, rt, sa } from './fields.ts'
import type { Lifter, Lifting } from './lifting.ts'
import { Exception, FCSR, HI, LO } from './state.ts'

const three =
  (name: Binary): Lifter =>
  (at) =>
    at.putReg(rd, at.b.binary(name, at.reg(rs), at.reg(rt)))

const shift =
  (name: Binary): Lifter =>
  (at) =>
    at.putReg(rd, at.b.binary(name, at.reg(rt), at.b.const(at.field(sa))))

const shiftVariable =
  (name: Binary): Lifter =>
  (at) =>
    at.putReg(rd, at.b.binary(name, at.reg(rt), at.b.binary('and', at.reg(rs), at.b.const(31))))

const withSigned =
  (name: Binary): Lifter =>
  (at) =>
    at.putReg(rt, at.b.binary(name, at.reg(rs), at.b.const(at.immediate)))

const withUnsigned =
  (name: Binary): Lifter =>
  (at) =>
    at.putReg(rt, at.b.binary(name, at.reg(rs), at.b.const(at.immediate & 0xffff)))

const setLess =
  (name: Compare): Lifter =>
  (at) =>
    at.putReg(rd, at.b.compare(name, at.reg(rs), at.reg(rt)))

const setLessImmediate =
  (name: Compare): Lifter =>
  (at) =>
    at.putReg(rt, at.b.compare(name, at.reg(rs), at.b.const(at.immediate)))

/** Overflow: the operands agree in sign (for `add`; differ for `sub`) and the result does not agree with the first. */
function checked(at: Lifting, name: 'add' | 'sub', a: Value, b: Value, destination: Field): void {
  const result = at.b.binary(name, a, b)
  const operands = at.b.binary('xor', a, b)
  const suspect = name === 'add' ? at.b.binary('xor', operands, at.b.const(-1)) : operands
  const overflow = at.b.binary('and', suspect, at.b.binary('xor', a, result))
  at.b.faultIf(at.b.compare('ltS', overflow, at.b.const(0)), Exception.Ov)
  at.putReg(destination, result)
}

const multiply =
  (extend: 'extendS' | 'extendU', accumulate?: 'add' | 'sub'): Lifter =>
  (at) => {
    const product = at.b.binary('mul', at.b.convert(extend, at.reg(rs)), at.b.convert(extend, at.reg(rt)), 'i64')
    at.b.put(LO, accumulate ? at.b.binary(accumulate, at.b.get(LO, 'i64'), product, 'i64') : product, 'i64')
  }

/**
 * Where the manual leaves the result open (a zero divisor, MIN / -1) the divisor is taken as 1, as QEMU does: the same
 * on every host.
 */
const divide =
  (signed: boolean): Lifter =>
  (at) => {
    const { b } = at
    const dividend = at.reg(rs)
    const divisor = at.reg(rt)
    let open = b.compare('eq', divisor, b.const(0))
    if (signed) {
      const minimum = b.compare('eq', dividend, b.const(-0x8000_0000))
      const minusOne = b.compare('eq', divisor, b.const(-1))
      open = b.binary('or', open, b.binary('and', minimum, minusOne))
    }
    const by = b.select(open, b.const(1), divisor)
    const quotient = b.binary(signed ? 'divS' : 'divU', dividend, by)
    const remainder = b.binary(signed ? 'remS' : 'remU', dividend, by)
    b.put(LO, quotient)
    b.put(HI, remainder)
  }

const moveIf =
  (name: 'eq' | 'ne'): Lifter =>
  (at) => {
    const condition = at.b.compare(name, at.reg(rt), at.b.const(0))
    at.putReg(rd, at.b.select(condition, at.reg(rs), at.reg(rd)))
  }

/** Condition code `c` of FCSR: bit 23 is code 0, bits 25 to 31 are codes 1 to 7. */
export function conditionCode(at: Lifting): Value {
  const code = at.field(cc)
  const shifted = at.b.binary('shrU', at.b.get(FCSR), at.b.const(code === 0 ? 23 : 24 + code))
  return at.b.binary('and', shifted, at.b.const(1))
}

const moveIfCode =
  (wanted: 0 | 1): Lifter =>
  (at) => {
    at.needCop1()
    const code = conditionCode(at)
    const [ifSet, ifClear] = wanted === 1 ? [rs, rd] : [rd, rs]
    at.putReg(rd, at.b.select(code, at.reg(ifSet), at.reg(ifClear)))
  }

const trap =
  (name: Compare, wanted: 0 | 1 = 1): Lifter =>
  (at) =>
    trapOn(at, at.b.compare(name, at.reg(rs), at.reg(rt)), wanted)

const trapImmediate =
  (name: Compare, wanted: 0 | 1 = 1): Lifter =>
  (at) =>
    trapOn(at, at.b.compare(name, at.reg(rs), at.b.const(at.immediate)), wanted)

function trapOn(at: Lifting, condition: Value, wanted: 0 | 1): void {
  at.b.faultIf(wanted === 1 ? condition : at.b.binary('xor', condition, at.b.const(1)), Exception.Tr)
}

function fieldMask(bits: number): number {
  return bits === 32 ? -1 : (1 << bits) - 1
}

export const integer = {
  sll: shift('shl'),
  srl: shift('shrU'),
  sra: shift('shrS'),
  rotr: shift('rotr'),
  sllv: shiftVariable('shl'),
  srlv: shiftVariable('shrU'),
  srav: shiftVariable('shrS'),
  rotrv: shiftVariable('rotr'),
  add: (at) => checked(at, 'add', at.reg(rs), at.reg(rt), rd),
  sub: (at) => checked(at, 'sub', at.reg(rs), at.reg(rt), rd),
  addi: (at) => checked(at, 'add', at.reg(rs), at.b.const(at.immediate), rt),
  addu: three('add'),
  subu: three('sub'),
  and: three('and'),
  or: three('or'),
  xor: three('xor'),
  nor: (at) => at.putReg(rd, at.b.binary('xor', at.b.binary('or', at.reg(rs), at.reg(rt)), at.b.const(-1))),
  slt: setLess('ltS'),
  sltu: setLess('ltU'),
  addiu: withSigned('add'),
  slti: setLessImmediate('ltS'),
  sltiu: setLessImmediate('ltU'),
  andi: withUnsigned('and'),
  ori: withUnsigned('or'),
  xori: withUnsigned('xor'),
  lui: (at) => at.putReg(rt, at.b.const(at.immediate << 16)),

  mult: multiply('extendS'),
  multu: multiply('extendU'),
  madd: multiply('extendS', 'add'),
  maddu: multiply('extendU', 'add'),
  msub: multiply('extendS', 'sub'),
  msubu: multiply('extendU', 'sub'),
  mul: three('mul'),
  div: divide(true),
  divu: divide(false),
  mfhi: (at) => at.putReg(rd, at.b.get(HI)),
  mflo: (at) => at.putReg(rd, at.b.get(LO)),
  mthi: (at) => at.b.put(HI, at.reg(rs)),
  mtlo: (at) => at.b.put(LO, at.reg(rs)),

  clz: (at) => at.putReg(rd, at.b.unary('clz', at.reg(rs))),
  clo: (at) => at.putReg(rd, at.b.unary('clz', at.b.binary('xor', at.reg(rs), at.b.const(-1)))),
  seb: (at) => at.putReg(rd, at.b.unary('extend8S', at.reg(rt))),
  seh: (at) => at.putReg(rd, at.b.unary('extend16S', at.reg(rt))),
  wsbh: (at) => at.putReg(rd, at.b.binary('rotr', at.b.unary('swap', at.reg(rt)), at.b.const(16))),
  ext(at) {
    const bits = at.field(msb) + 1
    const shifted = at.b.binary('shrU', at.reg(rs), at.b.const(at.field(lsb)))
    at.putReg(rt, at.b.binary('and', shifted, at.b.const(fieldMask(bits))))
  },
  ins(at) {
    const low = at.field(lsb)
    // msb below lsb is unpredictable in the manual; as in QEMU, nothing happens.
    if (at.field(msb) < low) return
    const mask = fieldMask(at.field(msb) - low + 1) << low
    const inserted = at.b.binary('and', at.b.binary('shl', at.reg(rs), at.b.const(low)), at.b.const(mask))
    at.putReg(rt, at.b.binary('or', at.b.binary('and', at.reg(rt), at.b.const(~mask)), inserted))
  },

  movz: moveIf('eq'),
  movn: moveIf('ne'),
  movf: moveIfCode(0),
  movt: moveIfCode(1),

  tge: trap('ltS', 0),
  tgeu: trap('ltU', 0),
  tlt: trap('ltS'),
  tltu: trap('ltU'),
  teq: trap('eq'),
  tne: trap('ne'),
  tgei: trapImmediate('ltS', 0),
  tgeiu: trapImmediate('ltU', 0),
  tlti: trapImmediate('ltS'),
  tltiu: trapImmediate('ltU'),
  teqi: trapImmediate('eq'),
  tnei: trapImmediate('ne'),
} satisfies Record<string, Lifter>
