/**
 * What IEEE 754 leaves to each architecture, and the words shared by the exact and the fast path.
 *
 * Sources: IEEE 754-2008 sections 5 to 8; MIPS32 Architecture Volume I-A (MD00082) chapter 5, the FPU; MD00086 for FCSR.
 */

/** Exception flags, in the order of FCSR's Flags, Enables and Cause fields: `flags << 12` is Cause. */
export const INEXACT = 1
export const UNDERFLOW = 2
export const OVERFLOW = 4
export const DIVIDE_BY_ZERO = 8
export const INVALID = 16

/** Rounding modes, numbered as FCSR.RM. */
export const NEAREST_EVEN = 0
export const TOWARD_ZERO = 1
export const TOWARD_POSITIVE = 2
export const TOWARD_NEGATIVE = 3
export type Rounding = 0 | 1 | 2 | 3

/** Results of a comparison, as the condition bits of `c.cond.fmt` test them; `GREATER` has no bit there. */
export const UNORDERED = 1
export const EQUAL = 2
export const LESS = 4
export const GREATER = 8

/** What an operand that is not a number looks like to `FloatRules.pickNan`. */
export type NanKind = 'none' | 'quiet' | 'signalling'

/** Why a conversion to an integer has no proper result. */
export type IntegerFault = 'nan' | 'tooLarge' | 'tooSmall'

/** An architecture's choices. */
export interface FloatRules {
  readonly name: string
  /** Whether the top bit of a NaN's fraction set means quiet (IEEE 754-2008) or signalling (MIPS before it). */
  readonly quietBitSet: boolean
  /** The NaN an invalid operation makes, by width. */
  readonly defaultNan: { readonly 32: bigint; readonly 64: bigint }
  /** Whether a result is tiny by its value before it was rounded, or after rounding with an unbounded exponent. */
  readonly tininess: 'before' | 'after'
  /**
   * Whether a NaN operand is passed on, made quiet, as the result; otherwise every NaN result is the default one. Only
   * for rules whose quiet bit is set in a quiet NaN.
   */
  readonly passesNans: boolean
  /** Which operand is passed on where one at least is a NaN: its index. */
  pickNan(a: NanKind, b: NanKind): 0 | 1
  /** The result, in two's complement of `bits` bits, of a conversion to a signed integer that cannot be. */
  invalidInteger(fault: IntegerFault, bits: 32 | 64): bigint
}

/** The first signalling NaN, else the first quiet one. */
function firstSignalling(a: NanKind, b: NanKind): 0 | 1 {
  if (a === 'signalling' || b === 'none') return 0
  return b === 'signalling' || a === 'none' ? 1 : 0
}

function largestInteger(bits: 32 | 64): bigint {
  return (1n << BigInt(bits - 1)) - 1n
}

/**
 * MIPS with FCSR.NAN2008 = 0. The manual lets a quiet NaN be passed on "when possible"; as QEMU's 24Kf, this one never
 * does.
 */
export const MIPS_LEGACY: FloatRules = {
  name: 'MIPS, NAN2008=0',
  quietBitSet: false,
  defaultNan: { 32: 0x7fbfffffn, 64: 0x7ff7ffffffffffffn },
  tininess: 'after',
  passesNans: false,
  pickNan: firstSignalling,
  invalidInteger: (_fault, bits) => largestInteger(bits),
}

/** MIPS with FCSR.NAN2008 = 1. */
export const MIPS_2008: FloatRules = {
  name: 'MIPS, NAN2008=1',
  quietBitSet: true,
  defaultNan: { 32: 0x7fc00000n, 64: 0x7ff8000000000000n },
  tininess: 'after',
  passesNans: true,
  pickNan: firstSignalling,
  invalidInteger: (fault, bits) => {
    if (fault === 'nan') return 0n
    return fault === 'tooLarge' ? largestInteger(bits) : largestInteger(bits) + 1n
  },
}
