/**
 * IEEE 754 arithmetic done exactly, on bit patterns held in bigints, one rounding at the end.
 *
 * This is the path for whatever `unit.ts` does not hand to the host's arithmetic: directed roundings, NaNs, infinities,
 * denormals, overflow. It is written to be read, not to be quick. A finite number is `(-1)^sign * significand * 2^exponent`
 * with an integer significand; intermediate results have as many bits as they need.
 */
import assert from 'node:assert/strict'
import {
  DIVIDE_BY_ZERO,
  EQUAL,
  type FloatRules,
  GREATER,
  INEXACT,
  INVALID,
  LESS,
  type NanKind,
  NEAREST_EVEN,
  OVERFLOW,
  type Rounding,
  TOWARD_NEGATIVE,
  TOWARD_POSITIVE,
  UNDERFLOW,
  UNORDERED,
} from './rules.ts'

/** How an operation rounds, and where it leaves its exception flags (added to those already there). */
export interface FloatEnvironment {
  rounding: Rounding
  /** A result that would be denormal becomes a zero of its sign, without a flag (as QEMU does for FCSR.FS). */
  flushToZero: boolean
  rules: FloatRules
  flags: number
}

export interface FloatFormat {
  readonly bits: 32 | 64
  readonly fractionBits: number
  /** The least exponent of a normal number's leading bit; the largest is `1 - minimumExponent`. */
  readonly minimumExponent: number
  /** The exponent field of infinities and NaNs. */
  readonly specialExponent: number
}

export const SINGLE: FloatFormat = { bits: 32, fractionBits: 23, minimumExponent: -126, specialExponent: 0xff }
export const DOUBLE: FloatFormat = { bits: 64, fractionBits: 52, minimumExponent: -1022, specialExponent: 0x7ff }

interface Unpacked {
  kind: 'finite' | 'infinity' | 'nan'
  nan: NanKind
  sign: 0 | 1
  exponent: number
  /** 0 for a zero; for a NaN its fraction. */
  significand: bigint
}

function unpack(environment: FloatEnvironment, format: FloatFormat, pattern: bigint): Unpacked {
  const sign = pattern >> BigInt(format.bits - 1) ? 1 : 0
  const fraction = BigInt.asUintN(format.fractionBits, pattern)
  const field = Number(pattern >> BigInt(format.fractionBits)) & format.specialExponent
  if (field === format.specialExponent) {
    if (fraction === 0n) return { kind: 'infinity', nan: 'none', sign, exponent: 0, significand: 0n }
    const topBitSet = fraction >> BigInt(format.fractionBits - 1) === 1n
    const nan = topBitSet === environment.rules.quietBitSet ? 'quiet' : 'signalling'
    return { kind: 'nan', nan, sign, exponent: 0, significand: fraction }
  }
  const exponent = Math.max(field, 1) - 1 + format.minimumExponent - format.fractionBits
  const significand = field === 0 ? fraction : fraction | (1n << BigInt(format.fractionBits))
  return { kind: 'finite', nan: 'none', sign, exponent, significand }
}

function signBit(format: FloatFormat, sign: number): bigint {
  return BigInt(sign) << BigInt(format.bits - 1)
}

function infinity(format: FloatFormat, sign: number): bigint {
  return signBit(format, sign) | (BigInt(format.specialExponent) << BigInt(format.fractionBits))
}

function invalid(environment: FloatEnvironment, format: FloatFormat): bigint {
  environment.flags |= INVALID
  return environment.rules.defaultNan[format.bits]
}

/** A NaN on its way to a result of format `to`: quietened, its fraction kept left-aligned. */
function passNan(environment: FloatEnvironment, from: FloatFormat, to: FloatFormat, nan: Unpacked): bigint {
  const { passesNans, quietBitSet, defaultNan } = environment.rules
  if (!passesNans) return defaultNan[to.bits]
  assert(quietBitSet, 'a NaN is made quiet by setting a bit')
  const shift = to.fractionBits - from.fractionBits
  const fraction = shift >= 0 ? nan.significand << BigInt(shift) : nan.significand >> BigInt(-shift)
  return infinity(to, nan.sign) | fraction | (1n << BigInt(to.fractionBits - 1))
}

/** The result where an operand is a NaN. */
function nanResult(env: FloatEnvironment, format: FloatFormat, a: Unpacked, b?: Unpacked): bigint {
  if (a.nan === 'signalling' || b?.nan === 'signalling') env.flags |= INVALID
  const chosen = env.rules.pickNan(a.nan, b?.nan ?? 'none') === 0 ? a : b
  assert(chosen?.kind === 'nan')
  return passNan(env, format, format, chosen)
}

function bitLength(value: bigint): number {
  assert(value > 0n)
  const digits = value.toString(16)
  return digits.length * 4 - (Math.clz32(Number.parseInt(digits[0]!, 16)) - 28)
}

/** `value / 2^shift` rounded to an integer, and whether anything was lost. */
function roundShift(value: bigint, shift: number, sign: number, rounding: Rounding): { kept: bigint; lost: boolean } {
  if (shift <= 0) return { kept: value << BigInt(-shift), lost: false }
  const kept = value >> BigInt(shift)
  const rest = value - (kept << BigInt(shift))
  if (rest === 0n) return { kept, lost: false }
  let up: boolean
  if (rounding === NEAREST_EVEN) {
    const half = 1n << BigInt(shift - 1)
    up = rest > half || (rest === half && (kept & 1n) === 1n)
  } else {
    up = rounding === (sign ? TOWARD_NEGATIVE : TOWARD_POSITIVE)
  }
  return { kept: up ? kept + 1n : kept, lost: true }
}

/** Rounds `(-1)^sign * significand * 2^exponent`, with significand > 0, to a pattern of `format`. */
function roundPack(env: FloatEnvironment, format: FloatFormat, sign: 0 | 1, significand: bigint, exponent: number) {
  const leading = exponent + bitLength(significand) - 1
  const small = leading < format.minimumExponent
  if (small && env.flushToZero) return signBit(format, sign)
  const quantum = Math.max(leading, format.minimumExponent) - format.fractionBits
  const { kept, lost } = roundShift(significand, quantum - exponent, sign, env.rounding)
  if (lost) {
    env.flags |= INEXACT
    if (small && isTiny(env, format, sign, significand, exponent, leading)) env.flags |= UNDERFLOW
  }
  // With the leading bit's weight in the exponent field, a carry out of the significand raises the exponent by itself.
  const magnitude =
    (BigInt(quantum + format.fractionBits - format.minimumExponent) << BigInt(format.fractionBits)) + kept
  const limit = infinity(format, 0)
  if (magnitude < limit) return signBit(format, sign) | magnitude
  env.flags |= OVERFLOW | INEXACT
  const toInfinity = env.rounding === NEAREST_EVEN || env.rounding === (sign ? TOWARD_NEGATIVE : TOWARD_POSITIVE)
  return signBit(format, sign) | (toInfinity ? limit : limit - 1n)
}

/** Whether an inexact result below the least normal number counts as tiny. */
function isTiny(
  env: FloatEnvironment,
  format: FloatFormat,
  sign: 0 | 1,
  significand: bigint,
  exponent: number,
  leading: number,
): boolean {
  if (env.rules.tininess === 'before' || leading < format.minimumExponent - 1) return true
  const { kept } = roundShift(significand, leading - format.fractionBits - exponent, sign, env.rounding)
  return kept < 1n << BigInt(format.fractionBits + 1)
}

function zeroSum(env: FloatEnvironment, format: FloatFormat, a: 0 | 1, b: 0 | 1): bigint {
  if (a === b) return signBit(format, a)
  return signBit(format, env.rounding === TOWARD_NEGATIVE ? 1 : 0)
}

/** The sum of two finite numbers. */
function addFinite(env: FloatEnvironment, format: FloatFormat, a: Unpacked, b: Unpacked): bigint {
  const exponent = Math.min(a.exponent, b.exponent)
  const scaledA = (a.sign ? -a.significand : a.significand) << BigInt(a.exponent - exponent)
  const scaledB = (b.sign ? -b.significand : b.significand) << BigInt(b.exponent - exponent)
  const sum = scaledA + scaledB
  if (sum === 0n) return zeroSum(env, format, a.sign, b.sign)
  return roundPack(env, format, sum < 0n ? 1 : 0, sum < 0n ? -sum : sum, exponent)
}

function addUnpacked(env: FloatEnvironment, format: FloatFormat, a: Unpacked, b: Unpacked): bigint {
  if (a.kind === 'nan' || b.kind === 'nan') return nanResult(env, format, a, b)
  if (a.kind === 'infinity') {
    return b.kind === 'infinity' && a.sign !== b.sign ? invalid(env, format) : infinity(format, a.sign)
  }
  if (b.kind === 'infinity') return infinity(format, b.sign)
  return addFinite(env, format, a, b)
}

export function add(env: FloatEnvironment, format: FloatFormat, a: bigint, b: bigint): bigint {
  return addUnpacked(env, format, unpack(env, format, a), unpack(env, format, b))
}

export function subtract(env: FloatEnvironment, format: FloatFormat, a: bigint, b: bigint): bigint {
  const subtrahend = unpack(env, format, b)
  // A NaN keeps its sign: the subtraction passes it on, it does not negate it.
  if (subtrahend.kind !== 'nan') subtrahend.sign = subtrahend.sign ? 0 : 1
  return addUnpacked(env, format, unpack(env, format, a), subtrahend)
}

export function multiply(env: FloatEnvironment, format: FloatFormat, a: bigint, b: bigint): bigint {
  const x = unpack(env, format, a)
  const y = unpack(env, format, b)
  if (x.kind === 'nan' || y.kind === 'nan') return nanResult(env, format, x, y)
  const sign = x.sign === y.sign ? 0 : 1
  if (x.kind === 'infinity' || y.kind === 'infinity') {
    const zero = (x.kind === 'finite' && x.significand === 0n) || (y.kind === 'finite' && y.significand === 0n)
    return zero ? invalid(env, format) : infinity(format, sign)
  }
  const product = x.significand * y.significand
  if (product === 0n) return signBit(format, sign)
  return roundPack(env, format, sign, product, x.exponent + y.exponent)
}

export function divide(env: FloatEnvironment, format: FloatFormat, a: bigint, b: bigint): bigint {
  const x = unpack(env, format, a)
  const y = unpack(env, format, b)
  if (x.kind === 'nan' || y.kind === 'nan') return nanResult(env, format, x, y)
  const sign = x.sign === y.sign ? 0 : 1
  if (x.kind === 'infinity') return y.kind === 'infinity' ? invalid(env, format) : infinity(format, sign)
  if (y.kind === 'infinity') return signBit(format, sign)
  if (y.significand === 0n) {
    if (x.significand === 0n) return invalid(env, format)
    env.flags |= DIVIDE_BY_ZERO
    return infinity(format, sign)
  }
  if (x.significand === 0n) return signBit(format, sign)
  // Two bits beyond the format's precision, and a last one that says whether the quotient goes on.
  const wanted = format.fractionBits + 3
  const shift = Math.max(0, wanted - bitLength(x.significand) + bitLength(y.significand))
  const dividend = x.significand << BigInt(shift)
  const quotient = dividend / y.significand
  const sticky = quotient * y.significand === dividend ? 0n : 1n
  return roundPack(env, format, sign, (quotient << 1n) | sticky, x.exponent - y.exponent - shift - 1)
}

/** The largest integer whose square is at most `value`. */
function integerSquareRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1)
  for (;;) {
    const next = (root + value / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

export function squareRoot(env: FloatEnvironment, format: FloatFormat, a: bigint): bigint {
  const x = unpack(env, format, a)
  if (x.kind === 'nan') return nanResult(env, format, x)
  if (x.kind === 'finite' && x.significand === 0n) return signBit(format, x.sign)
  if (x.sign) return invalid(env, format)
  if (x.kind === 'infinity') return infinity(format, 0)
  let shift = 2 * (format.fractionBits + 3)
  if ((x.exponent - shift) % 2 !== 0) shift += 1
  const radicand = x.significand << BigInt(shift)
  const root = integerSquareRoot(radicand)
  const sticky = root * root === radicand ? 0n : 1n
  return roundPack(env, format, 0, (root << 1n) | sticky, (x.exponent - shift) / 2 - 1)
}

/** Less, equal, greater or unordered. `signalling`: a quiet NaN is invalid too. */
export function compare(env: FloatEnvironment, format: FloatFormat, a: bigint, b: bigint, signalling: boolean): number {
  const x = unpack(env, format, a)
  const y = unpack(env, format, b)
  if (x.kind === 'nan' || y.kind === 'nan') {
    if (signalling || x.nan === 'signalling' || y.nan === 'signalling') env.flags |= INVALID
    return UNORDERED
  }
  // Patterns of one format order as sign and magnitude.
  const orderX = BigInt.asUintN(format.bits - 1, a) * (x.sign ? -1n : 1n)
  const orderY = BigInt.asUintN(format.bits - 1, b) * (y.sign ? -1n : 1n)
  if (orderX === orderY) return EQUAL
  return orderX < orderY ? LESS : GREATER
}

export function convertFormat(env: FloatEnvironment, from: FloatFormat, to: FloatFormat, a: bigint): bigint {
  const x = unpack(env, from, a)
  if (x.kind === 'nan') {
    if (x.nan === 'signalling') env.flags |= INVALID
    return passNan(env, from, to, x)
  }
  if (x.kind === 'infinity') return infinity(to, x.sign)
  if (x.significand === 0n) return signBit(to, x.sign)
  return roundPack(env, to, x.sign, x.significand, x.exponent)
}

/** `value` is any integer. */
export function fromInteger(env: FloatEnvironment, format: FloatFormat, value: bigint): bigint {
  if (value === 0n) return 0n
  return roundPack(env, format, value < 0n ? 1 : 0, value < 0n ? -value : value, 0)
}

/** A signed integer of `bits` bits, as a bigint that is negative where the integer is (or the rules' invalid result). */
export function toInteger(
  env: FloatEnvironment,
  format: FloatFormat,
  a: bigint,
  bits: 32 | 64,
  rounding: Rounding,
): bigint {
  const x = unpack(env, format, a)
  const limit = 1n << BigInt(bits - 1)
  if (x.kind === 'finite') {
    const { kept, lost } = roundShift(x.significand, -x.exponent, x.sign, rounding)
    if (kept < limit || (x.sign && kept === limit)) {
      if (lost) env.flags |= INEXACT
      return x.sign ? -kept : kept
    }
  }
  env.flags |= INVALID
  const fault = x.kind === 'nan' ? 'nan' : x.sign ? 'tooSmall' : 'tooLarge'
  return BigInt.asIntN(bits, env.rules.invalidInteger(fault, bits))
}
