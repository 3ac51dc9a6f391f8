/** Coprocessor 1: moves and bit operations are IR, arithmetic is the helper `float`. */
import type { Value } from '../../ir/ir.ts'
import type { Field } from '../encoding.ts'
import type { Mnemonic } from './encodings.ts'
import { comparedCc, cond, fd, fr, fs, ft, rt } from './fields.ts'
import { FLOAT_OPERATIONS } from './fpu.ts'
import { Helper } from './helpers.ts'
import { conditionCode } from './lift-integer.ts'
import type { Lifter, Lifting, Outcome } from './lifting.ts'
import { Exception, fpr } from './state.ts'

export const reserved: Outcome = { when: 'now', exit: { kind: 'fault', code: Exception.RI } }

/** With Status.FR = 0 a double is an even register and the one above it. */
export const isDouble = (at: Lifting, field: Field): boolean => at.fr || at.field(field) % 2 === 0

export function getDouble(at: Lifting, field: Field): Value {
  const register = at.field(field)
  if (at.fr) return at.b.get(fpr(register), 'i64')
  const even = register & ~1
  const low = at.b.convert('extendU', at.b.get(fpr(even)))
  const high = at.b.convert('extendU', at.b.get(fpr(even | 1)))
  return at.b.binary('or', low, at.b.binary('shl', high, at.b.const64(32n), 'i64'), 'i64')
}

export function putDouble(at: Lifting, field: Field, value: Value): void {
  const register = at.field(field)
  if (at.fr) {
    at.b.put(fpr(register), value, 'i64')
    return
  }
  const even = register & ~1
  at.b.put(fpr(even), at.b.convert('wrap', value))
  at.b.put(fpr(even | 1), at.b.convert('wrap', at.b.binary('shrU', value, at.b.const64(32n), 'i64')))
}

const REGISTERS = { fd, fs, ft, fr } as const
type Register = keyof typeof REGISTERS

/** The formats of an instruction's register operands: `d` double (also a 64-bit integer), `s` single. */
type Formats = Partial<Record<Register, 's' | 'd'>>

const doublesOf = (formats: Formats): Field[] =>
  Object.entries(formats).flatMap(([name, format]) => (format === 'd' ? REGISTERS[name as Register] : []))

/** Arithmetic. `long`: it has a 64-bit fixed-point operand, which needs Status.FR = 1. */
const arithmetic = (mnemonic: Mnemonic, formats: Formats, long = false): Lifter => {
  const number = FLOAT_OPERATIONS.indexOf(mnemonic)
  const doubles = doublesOf(formats)
  return (at) => {
    at.needCop1()
    if ((long && !at.fr) || !doubles.every((field) => isDouble(at, field))) return reserved
    const operand = (name: Register) => at.b.const(name in formats ? at.field(REGISTERS[name]) : 0)
    at.b.call(Helper.float, [at.b.const(number), operand('fd'), operand('fs'), operand('ft'), operand('fr')])
  }
}

const compare = (mnemonic: 'c.cond.s' | 'c.cond.d', format: 's' | 'd'): Lifter => {
  const number = FLOAT_OPERATIONS.indexOf(mnemonic)
  return (at) => {
    at.needCop1()
    if (format === 'd' && !(isDouble(at, fs) && isDouble(at, ft))) return reserved
    const args = [number, at.field(cond), at.field(fs), at.field(ft), at.field(comparedCc)]
    at.b.call(
      Helper.float,
      args.map((value) => at.b.const(value)),
    )
  }
}

/** Bit operations on one register: they look at no value and raise nothing. */
const onSingle =
  (apply: (at: Lifting, value: Value) => Value): Lifter =>
  (at) => {
    at.needCop1()
    at.b.put(fpr(at.field(fd)), apply(at, at.b.get(fpr(at.field(fs)))))
  }

const onDouble =
  (apply: (at: Lifting, value: Value) => Value): Lifter =>
  (at) => {
    at.needCop1()
    if (!(isDouble(at, fd) && isDouble(at, fs))) return reserved
    putDouble(at, fd, apply(at, getDouble(at, fs)))
  }

const keepUnless =
  (condition: (at: Lifting) => Value) =>
  (at: Lifting, value: Value): Value =>
    at.b.select(condition(at), value, at.b.get(fpr(at.field(fd))))

const keepDoubleUnless =
  (condition: (at: Lifting) => Value) =>
  (at: Lifting, value: Value): Value =>
    at.b.select(condition(at), value, getDouble(at, fd), 'i64')

const codeIs = (wanted: 0 | 1) => (at: Lifting) => at.b.compare('eq', conditionCode(at), at.b.const(wanted))
const registerIs = (name: 'eq' | 'ne') => (at: Lifting) => at.b.compare(name, at.reg(rt), at.b.const(0))

const SIGN64 = 1n << 63n

const moves = {
  mfc1(at) {
    at.needCop1()
    at.putReg(rt, at.b.get(fpr(at.field(fs))))
  },
  mtc1(at) {
    at.needCop1()
    at.b.put(fpr(at.field(fs)), at.reg(rt))
  },
  mfhc1(at) {
    at.needCop1()
    at.putReg(rt, at.b.get(highHalf(at)))
  },
  mthc1(at) {
    at.needCop1()
    at.b.put(highHalf(at), at.reg(rt))
  },
  cfc1(at) {
    at.needCop1()
    at.putReg(rt, at.b.call(Helper.readFpuControl, [at.b.const(at.field(fs))], 'i32'))
  },
  ctc1(at) {
    at.needCop1()
    at.b.call(Helper.writeFpuControl, [at.b.const(at.field(fs)), at.reg(rt)])
  },
  'mov.s': onSingle((_, value) => value),
  'mov.d': onDouble((_, value) => value),
  'abs.s': onSingle((at, value) => at.b.binary('and', value, at.b.const(0x7fff_ffff))),
  'abs.d': onDouble((at, value) => at.b.binary('and', value, at.b.const64(SIGN64 - 1n), 'i64')),
  'neg.s': onSingle((at, value) => at.b.binary('xor', value, at.b.const(-0x8000_0000))),
  'neg.d': onDouble((at, value) => at.b.binary('xor', value, at.b.const64(SIGN64), 'i64')),
  'movf.s': onSingle(keepUnless(codeIs(0))),
  'movt.s': onSingle(keepUnless(codeIs(1))),
  'movz.s': onSingle(keepUnless(registerIs('eq'))),
  'movn.s': onSingle(keepUnless(registerIs('ne'))),
  'movf.d': onDouble(keepDoubleUnless(codeIs(0))),
  'movt.d': onDouble(keepDoubleUnless(codeIs(1))),
  'movz.d': onDouble(keepDoubleUnless(registerIs('eq'))),
  'movn.d': onDouble(keepDoubleUnless(registerIs('ne'))),
} satisfies Record<string, Lifter>

/** MFHC1's half: the high half of a 64-bit register, or with FR = 0 the odd register. */
function highHalf(at: Lifting): number {
  const register = at.field(fs)
  return at.fr ? fpr(register) + 4 : fpr(register | 1)
}

const s2: Formats = { fd: 's', fs: 's', ft: 's' }
const d2: Formats = { fd: 'd', fs: 'd', ft: 'd' }
const s1: Formats = { fd: 's', fs: 's' }
const d1: Formats = { fd: 'd', fs: 'd' }
const sd: Formats = { fd: 's', fs: 'd' }
const ds: Formats = { fd: 'd', fs: 's' }
const s3: Formats = { ...s2, fr: 's' }
const d3: Formats = { ...d2, fr: 'd' }

export const fpu = {
  ...moves,
  'add.s': arithmetic('add.s', s2),
  'sub.s': arithmetic('sub.s', s2),
  'mul.s': arithmetic('mul.s', s2),
  'div.s': arithmetic('div.s', s2),
  'sqrt.s': arithmetic('sqrt.s', s1),
  'recip.s': arithmetic('recip.s', s1),
  'rsqrt.s': arithmetic('rsqrt.s', s1),
  'round.w.s': arithmetic('round.w.s', s1),
  'trunc.w.s': arithmetic('trunc.w.s', s1),
  'ceil.w.s': arithmetic('ceil.w.s', s1),
  'floor.w.s': arithmetic('floor.w.s', s1),
  'cvt.w.s': arithmetic('cvt.w.s', s1),
  'round.l.s': arithmetic('round.l.s', ds, true),
  'trunc.l.s': arithmetic('trunc.l.s', ds, true),
  'ceil.l.s': arithmetic('ceil.l.s', ds, true),
  'floor.l.s': arithmetic('floor.l.s', ds, true),
  'cvt.l.s': arithmetic('cvt.l.s', ds, true),
  'cvt.d.s': arithmetic('cvt.d.s', ds),
  'c.cond.s': compare('c.cond.s', 's'),
  'add.d': arithmetic('add.d', d2),
  'sub.d': arithmetic('sub.d', d2),
  'mul.d': arithmetic('mul.d', d2),
  'div.d': arithmetic('div.d', d2),
  'sqrt.d': arithmetic('sqrt.d', d1),
  'recip.d': arithmetic('recip.d', d1),
  'rsqrt.d': arithmetic('rsqrt.d', d1),
  'round.w.d': arithmetic('round.w.d', sd),
  'trunc.w.d': arithmetic('trunc.w.d', sd),
  'ceil.w.d': arithmetic('ceil.w.d', sd),
  'floor.w.d': arithmetic('floor.w.d', sd),
  'cvt.w.d': arithmetic('cvt.w.d', sd),
  'round.l.d': arithmetic('round.l.d', d1, true),
  'trunc.l.d': arithmetic('trunc.l.d', d1, true),
  'ceil.l.d': arithmetic('ceil.l.d', d1, true),
  'floor.l.d': arithmetic('floor.l.d', d1, true),
  'cvt.l.d': arithmetic('cvt.l.d', d1, true),
  'cvt.s.d': arithmetic('cvt.s.d', sd),
  'c.cond.d': compare('c.cond.d', 'd'),
  'cvt.s.w': arithmetic('cvt.s.w', s1),
  'cvt.d.w': arithmetic('cvt.d.w', ds),
  'cvt.s.l': arithmetic('cvt.s.l', sd, true),
  'cvt.d.l': arithmetic('cvt.d.l', d1, true),
  'madd.s': arithmetic('madd.s', s3),
  'msub.s': arithmetic('msub.s', s3),
  'nmadd.s': arithmetic('nmadd.s', s3),
  'nmsub.s': arithmetic('nmsub.s', s3),
  'madd.d': arithmetic('madd.d', d3),
  'msub.d': arithmetic('msub.d', d3),
  'nmadd.d': arithmetic('nmadd.d', d3),
  'nmsub.d': arithmetic('nmsub.d', d3),
} satisfies Record<string, Lifter>
