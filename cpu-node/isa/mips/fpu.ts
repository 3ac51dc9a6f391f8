/**
 * Coprocessor 1's arithmetic and control registers: which softfloat operations an instruction is, and what FCSR then
 * holds. "MIPS32 Architecture For Programmers, Volume I", chapter 5, and Volume II.
 *
 * MADD and its kin round the product before they add (release 2), RECIP and RSQRT are a division by the rounded root.
 */

import {
  MIPS_LEGACY,
  NEAREST_EVEN,
  type Rounding,
  TOWARD_NEGATIVE,
  TOWARD_POSITIVE,
  TOWARD_ZERO,
} from '../../softfloat/rules.ts'
import { FloatUnit } from '../../softfloat/unit.ts'
import type { Mnemonic } from './encodings.ts'
import { FCSR, fpr } from './state.ts'

/** FIR: 64-bit registers; W, L, D and S formats; implementation 0x93, as in a 24Kf. */
const FIR = 0x0073_9300
/** FCSR bits that can be written: all but the reserved ones, 18 to 22. */
const FCSR_WRITABLE = 0xff83_ffff | 0
const FCSR_FS = 1 << 24
const CAUSE_SHIFT = 12
const ENABLES_SHIFT = 7
const FLAGS_SHIFT = 2
const CAUSE_FIELD = 0x3f << CAUSE_SHIFT
/** FCSR.Cause.E, unimplemented operation: always enabled. */
const UNIMPLEMENTED = 0x20
const ONE_SINGLE = 0x3f80_0000
const ONE_DOUBLE_HIGH = 0x3ff0_0000
/** Sign of the result's bit in a high word. */
const SIGN = -0x8000_0000

type Operation = (fpu: Fpu, d: number, s: number, t: number, r: number) => void

export class Fpu {
  readonly unit = new FloatUnit(MIPS_LEGACY)
  readonly #state: Int32Array
  /** Status.FR: doubles are single registers, not even/odd pairs. */
  #fr = false

  constructor(state: Int32Array) {
    this.#state = state
  }

  /** Takes over what FCSR and Status.FR say; called whenever either was written. */
  configure(fr: boolean): void {
    const fcsr = this.#state[FCSR / 4]!
    this.#fr = fr
    this.unit.rounding = (fcsr & 3) as Rounding
    this.unit.flushToZero = (fcsr & FCSR_FS) !== 0
  }

  single(register: number): number {
    return this.#state[fpr(register) / 4]!
  }

  low(register: number): number {
    return this.#state[fpr(register) / 4]!
  }

  high(register: number): number {
    return this.#state[this.#fr ? fpr(register) / 4 + 1 : fpr(register | 1) / 4]!
  }

  // Results are held back until the exceptions they raised are known.
  #pendingSingle = 0
  #pendingLow = 0
  #pendingHigh = 0
  #pendingRegister = 0
  #pendingFormat: 'none' | 'single' | 'double' = 'none'
  #pendingCode = -1
  #pendingCondition = 0

  putSingle(register: number, value: number): void {
    this.#pendingFormat = 'single'
    this.#pendingRegister = register
    this.#pendingSingle = value
  }

  /** Leaves the unit's 64-bit result in `register`, with `signFlip` applied to its high word. */
  putResult(register: number, signFlip = 0): void {
    this.#pendingFormat = 'double'
    this.#pendingRegister = register
    this.#pendingLow = this.unit.result[0]!
    this.#pendingHigh = this.unit.result[1]! ^ signFlip
  }

  putCondition(code: number, value: boolean): void {
    this.#pendingCode = code
    this.#pendingCondition = value ? 1 : 0
  }

  /** Runs operation `number` of `FLOAT_OPERATIONS`. False: it raised an enabled exception, and left its result unwritten. */
  run(number: number, d: number, s: number, t: number, r: number): boolean {
    const { unit } = this
    const state = this.#state
    unit.flags = 0
    this.#pendingFormat = 'none'
    this.#pendingCode = -1
    OPERATIONS[number]!(this, d, s, t, r)
    const fcsr = (state[FCSR / 4]! & ~CAUSE_FIELD) | (unit.flags << CAUSE_SHIFT)
    state[FCSR / 4] = fcsr
    if ((unit.flags & (fcsr >>> ENABLES_SHIFT) & 0x1f) !== 0) return false
    state[FCSR / 4] = fcsr | (unit.flags << FLAGS_SHIFT)
    this.#writeBack()
    return true
  }

  #writeBack(): void {
    const state = this.#state
    if (this.#pendingFormat === 'single') {
      state[fpr(this.#pendingRegister) / 4] = this.#pendingSingle
    } else if (this.#pendingFormat === 'double') {
      const index = fpr(this.#pendingRegister) / 4
      state[index] = this.#pendingLow
      state[this.#fr ? index + 1 : fpr(this.#pendingRegister | 1) / 4] = this.#pendingHigh
    }
    if (this.#pendingCode >= 0) {
      const bit = 1 << (this.#pendingCode === 0 ? 23 : 24 + this.#pendingCode)
      state[FCSR / 4] = this.#pendingCondition === 1 ? state[FCSR / 4]! | bit : state[FCSR / 4]! & ~bit
    }
  }

  /** CFC1: FIR, FCCR, FEXR, FENR and FCSR; registers that do not exist read as FCSR. */
  readControl(register: number): number {
    const fcsr = this.#state[FCSR / 4]!
    switch (register) {
      case 0:
        return FIR
      case 25:
        return ((fcsr >>> 24) & 0xfe) | ((fcsr >>> 23) & 1)
      case 26:
        return fcsr & 0x0003_f07c
      case 28:
        return (fcsr & 0x0000_0f83) | ((fcsr >>> 22) & 4)
      default:
        return fcsr
    }
  }

  /** CTC1. False: a cause bit is now set whose exception is enabled. The caller configures the unit again. */
  writeControl(register: number, value: number): boolean {
    const fcsr = this.#state[FCSR / 4]!
    const written = controlWritten(register, fcsr, value)
    if (written === undefined) return true
    this.#state[FCSR / 4] = written
    const enabled = ((written >>> ENABLES_SHIFT) & 0x1f) | UNIMPLEMENTED
    return (enabled & (written >>> CAUSE_SHIFT) & 0x3f) === 0
  }
}

/** FCSR after a write to a control register, or undefined where the write does nothing. */
function controlWritten(register: number, fcsr: number, value: number): number | undefined {
  switch (register) {
    case 25:
      if ((value & 0xffff_ff00) !== 0) return undefined
      return (fcsr & 0x017f_ffff) | ((value & 0xfe) << 24) | ((value & 1) << 23)
    case 26:
      if ((value & 0x007c_0000) !== 0) return undefined
      return (fcsr & 0xfffc_0f83) | (value & 0x0003_f07c)
    case 28:
      if ((value & 0x007c_0000) !== 0) return undefined
      return (fcsr & 0xfeff_f07c) | (value & 0x0000_0f83) | ((value & 4) << 22)
    case 31:
      return (value & FCSR_WRITABLE) | (fcsr & ~FCSR_WRITABLE)
    default:
      return undefined
  }
}

type Binary32 = 'add32' | 'sub32' | 'mul32' | 'div32'
type Binary64 = 'add64' | 'sub64' | 'mul64' | 'div64'

const binary32 =
  (name: Binary32): Operation =>
  (fpu, d, s, t) =>
    fpu.putSingle(d, fpu.unit[name](fpu.single(s), fpu.single(t)))

const binary64 =
  (name: Binary64): Operation =>
  (fpu, d, s, t) => {
    fpu.unit[name](fpu.high(s), fpu.low(s), fpu.high(t), fpu.low(t))
    fpu.putResult(d)
  }

const multiplyAdd32 =
  (name: 'add32' | 'sub32', signFlip: number): Operation =>
  (fpu, d, s, t, r) => {
    const product = fpu.unit.mul32(fpu.single(s), fpu.single(t))
    fpu.putSingle(d, fpu.unit[name](product, fpu.single(r)) ^ signFlip)
  }

const multiplyAdd64 =
  (name: 'add64' | 'sub64', signFlip: number): Operation =>
  (fpu, d, s, t, r) => {
    const { unit } = fpu
    unit.mul64(fpu.high(s), fpu.low(s), fpu.high(t), fpu.low(t))
    unit[name](unit.result[1]!, unit.result[0]!, fpu.high(r), fpu.low(r))
    fpu.putResult(d, signFlip)
  }

const toWord32 =
  (rounding?: Rounding): Operation =>
  (fpu, d, s) =>
    fpu.putSingle(d, fpu.unit.f32ToI32(fpu.single(s), rounding ?? fpu.unit.rounding))

const toWord64 =
  (rounding?: Rounding): Operation =>
  (fpu, d, s) =>
    fpu.putSingle(d, fpu.unit.f64ToI32(fpu.high(s), fpu.low(s), rounding ?? fpu.unit.rounding))

const toLong32 =
  (rounding?: Rounding): Operation =>
  (fpu, d, s) => {
    fpu.unit.f32ToI64(fpu.single(s), rounding ?? fpu.unit.rounding)
    fpu.putResult(d)
  }

const toLong64 =
  (rounding?: Rounding): Operation =>
  (fpu, d, s) => {
    fpu.unit.f64ToI64(fpu.high(s), fpu.low(s), rounding ?? fpu.unit.rounding)
    fpu.putResult(d)
  }

/** C.cond.fmt: bit 3 of the condition makes quiet NaNs invalid, bits 2 to 0 are less, equal, unordered. */
const SIGNALLING = 8

const operations: Partial<Record<Mnemonic, Operation>> = {
  'add.s': binary32('add32'),
  'sub.s': binary32('sub32'),
  'mul.s': binary32('mul32'),
  'div.s': binary32('div32'),
  'sqrt.s': (fpu, d, s) => fpu.putSingle(d, fpu.unit.sqrt32(fpu.single(s))),
  'recip.s': (fpu, d, s) => fpu.putSingle(d, fpu.unit.div32(ONE_SINGLE, fpu.single(s))),
  'rsqrt.s': (fpu, d, s) => fpu.putSingle(d, fpu.unit.div32(ONE_SINGLE, fpu.unit.sqrt32(fpu.single(s)))),
  'madd.s': multiplyAdd32('add32', 0),
  'msub.s': multiplyAdd32('sub32', 0),
  'nmadd.s': multiplyAdd32('add32', SIGN),
  'nmsub.s': multiplyAdd32('sub32', SIGN),
  'round.w.s': toWord32(NEAREST_EVEN),
  'trunc.w.s': toWord32(TOWARD_ZERO),
  'ceil.w.s': toWord32(TOWARD_POSITIVE),
  'floor.w.s': toWord32(TOWARD_NEGATIVE),
  'cvt.w.s': toWord32(),
  'round.l.s': toLong32(NEAREST_EVEN),
  'trunc.l.s': toLong32(TOWARD_ZERO),
  'ceil.l.s': toLong32(TOWARD_POSITIVE),
  'floor.l.s': toLong32(TOWARD_NEGATIVE),
  'cvt.l.s': toLong32(),
  'cvt.d.s'(fpu, d, s) {
    fpu.unit.f32ToF64(fpu.single(s))
    fpu.putResult(d)
  },
  'c.cond.s'(fpu, condition, s, t, code) {
    const relation = fpu.unit.compare32(fpu.single(s), fpu.single(t), (condition & SIGNALLING) !== 0)
    fpu.putCondition(code, (relation & condition & 7) !== 0)
  },
  'add.d': binary64('add64'),
  'sub.d': binary64('sub64'),
  'mul.d': binary64('mul64'),
  'div.d': binary64('div64'),
  'sqrt.d'(fpu, d, s) {
    fpu.unit.sqrt64(fpu.high(s), fpu.low(s))
    fpu.putResult(d)
  },
  'recip.d'(fpu, d, s) {
    fpu.unit.div64(ONE_DOUBLE_HIGH, 0, fpu.high(s), fpu.low(s))
    fpu.putResult(d)
  },
  'rsqrt.d'(fpu, d, s) {
    const { unit } = fpu
    unit.sqrt64(fpu.high(s), fpu.low(s))
    unit.div64(ONE_DOUBLE_HIGH, 0, unit.result[1]!, unit.result[0]!)
    fpu.putResult(d)
  },
  'madd.d': multiplyAdd64('add64', 0),
  'msub.d': multiplyAdd64('sub64', 0),
  'nmadd.d': multiplyAdd64('add64', SIGN),
  'nmsub.d': multiplyAdd64('sub64', SIGN),
  'round.w.d': toWord64(NEAREST_EVEN),
  'trunc.w.d': toWord64(TOWARD_ZERO),
  'ceil.w.d': toWord64(TOWARD_POSITIVE),
  'floor.w.d': toWord64(TOWARD_NEGATIVE),
  'cvt.w.d': toWord64(),
  'round.l.d': toLong64(NEAREST_EVEN),
  'trunc.l.d': toLong64(TOWARD_ZERO),
  'ceil.l.d': toLong64(TOWARD_POSITIVE),
  'floor.l.d': toLong64(TOWARD_NEGATIVE),
  'cvt.l.d': toLong64(),
  'cvt.s.d': (fpu, d, s) => fpu.putSingle(d, fpu.unit.f64ToF32(fpu.high(s), fpu.low(s))),
  'c.cond.d'(fpu, condition, s, t, code) {
    const signalling = (condition & SIGNALLING) !== 0
    const relation = fpu.unit.compare64(fpu.high(s), fpu.low(s), fpu.high(t), fpu.low(t), signalling)
    fpu.putCondition(code, (relation & condition & 7) !== 0)
  },
  'cvt.s.w': (fpu, d, s) => fpu.putSingle(d, fpu.unit.i32ToF32(fpu.single(s))),
  'cvt.d.w'(fpu, d, s) {
    fpu.unit.i32ToF64(fpu.single(s))
    fpu.putResult(d)
  },
  'cvt.s.l': (fpu, d, s) => fpu.putSingle(d, fpu.unit.i64ToF32(fpu.high(s), fpu.low(s))),
  'cvt.d.l'(fpu, d, s) {
    fpu.unit.i64ToF64(fpu.high(s), fpu.low(s))
    fpu.putResult(d)
  },
}

/** The mnemonics of the operations, by the number that the helper `float` is given. */
export const FLOAT_OPERATIONS = Object.keys(operations) as readonly Mnemonic[]
const OPERATIONS = Object.values(operations)
