/**
 * Floating-point arithmetic as WebAssembly, for the usual case: rounding to nearest, and an ordinary result, of which
 * only whether it is inexact is to be found. All else goes to `slow`. Every operation, in pseudocode:
 *
 *     result = s op t, by the host
 *     if result is infinite, NaN, denormal or the least normal number's size: slow, unless it is an exact zero
 *     inexact = whether result is not s op t
 *
 * The least normal size is out because a result may have been rounded up to it, which is an underflow.
 *
 * Inexact follows from the significands, as integers of p bits (24 or 53), whose products wrap around as they are:
 *
 * - Sums: the error of a sum is itself a number, and is found by six additions (Knuth 4.2.2, theorem B).
 * - Products: the exact one has 2p - 1 or 2p bits, and the p uppermost are kept. So bits 0 to p - 2 must be 0, and bit
 *   p - 1 as well if there are 2p. Then the exponent is the operands' sum plus one, which its lowest bit tells.
 * - Quotients: with q * t in units of its last place, s is a multiple of 2^(p - 1). The difference of the two is less
 *   than that, because it is at most half of t. So it is 0 where bits 0 to p - 2 of the product are.
 * - Square roots: s in units of the square's last place is its significand shifted by p - 1 or p, which its exponent's
 *   lowest bit tells. It differs from the square by less than 2^p, so that it is enough to compare what is left of
 *   both in 32 or 64 bits.
 */
import type { FunctionBody, Local, Plain } from '../../wasm/function.ts'
import type { InlineBody } from '../inline-call.ts'

/** A format, and the integer of its size. `exponent` is the field's place in the high word. */
export interface Format {
  readonly float: 'f32' | 'f64'
  readonly int: 'i32' | 'i64'
  readonly bits: 32 | 64
  readonly fractionBits: number
  readonly exponent: { readonly low: number; readonly bits: number }
}

export const SINGLE: Format = { float: 'f32', int: 'i32', bits: 32, fractionBits: 23, exponent: { low: 23, bits: 8 } }
export const DOUBLE: Format = { float: 'f64', int: 'i64', bits: 64, fractionBits: 52, exponent: { low: 20, bits: 11 } }

/** A number that was computed, and whether it is inexact: 0 or 1. */
export interface Result {
  readonly value: Local
  readonly inexact: Local
}

/** Emits the operations on one format. */
export class Arithmetic {
  readonly #to: InlineBody
  readonly #f: FunctionBody
  readonly #format: Format

  constructor(to: InlineBody, format: Format) {
    this.#to = to
    this.#f = to.f
    this.#format = format
  }

  #float(name: 'add' | 'sub' | 'mul' | 'div' | 'sqrt' | 'neg'): void {
    this.#f.op(`${this.#format.float}.${name}`)
  }

  #int(name: 'add' | 'mul' | 'and' | 'or' | 'xor' | 'shl' | 'shr_u' | 'sub' | 'ne'): void {
    this.#f.op(`${this.#format.int}.${name}`)
  }

  #constant(value: bigint): void {
    if (this.#format.int === 'i64') this.#f.i64(value)
    else this.#f.i32(Number(value))
  }

  /** The pattern of `value`. */
  #pattern(value: Local): Local {
    const { float, int } = this.#format
    const pattern = this.#to.local(int)
    this.#f.get(value)
    this.#f.op(`${int}.reinterpret_${float}` as Plain)
    this.#f.set(pattern)
    return pattern
  }

  #pushHigh(pattern: Local): void {
    const f = this.#f
    f.get(pattern)
    if (this.#format.int === 'i32') return
    f.i64(32n)
    f.op('i64.shr_u')
    f.op('i32.wrap_i64')
  }

  /** Pushes the pattern without its sign, times 2: 0 for a zero. */
  #pushMagnitude(pattern: Local): void {
    this.#f.get(pattern)
    this.#constant(1n)
    this.#int('shl')
  }

  #pushNot0(): void {
    this.#constant(0n)
    this.#int('ne')
  }

  /** Pushes whether the exponent field is from 2 to the greatest of a finite number. */
  #pushOrdinary(pattern: Local): void {
    const f = this.#f
    const { bits } = this.#format.exponent
    this.#pushHigh(pattern)
    f.i32(1)
    f.op('i32.shl')
    f.i32(2 << (32 - bits))
    f.op('i32.sub')
    f.i32((2 ** bits - 3) << (32 - bits))
    f.op('i32.lt_u')
  }

  #slowIf(): void {
    this.#f.brIf(this.#to.slow, false)
  }

  #slowIfDenormal(pattern: Local): void {
    const f = this.#f
    const { low, bits } = this.#format.exponent
    this.#pushHigh(pattern)
    f.i32((2 ** bits - 1) << low)
    f.op('i32.and')
    f.op('i32.eqz')
    this.#slowIf()
  }

  /** Pushes the pattern with the significand's leading bit set; above that it is not to be looked at. */
  #pushSignificand(pattern: Local): void {
    this.#f.get(pattern)
    this.#constant(1n << BigInt(this.#format.fractionBits))
    this.#int('or')
  }

  /** inexact = result is ordinary ? what `pushInexact` pushes : 0, after `exactZero`, which leaves if it is no exact zero */
  #inexact(result: Local, pushInexact: () => void, exactZero: () => void): Local {
    const f = this.#f
    const inexact = this.#to.local('i32')
    this.#pushOrdinary(result)
    const ordinary = f.if('i32', true)
    pushInexact()
    f.else()
    exactZero()
    f.i32(0)
    f.end(ordinary)
    f.set(inexact)
    return inexact
  }

  sum(name: 'add' | 'sub', s: Local, t: Local): Result {
    const f = this.#f
    const { float, int } = this.#format
    const value = this.#to.local(float)
    const addend = this.#to.local(float)
    f.get(s)
    f.get(t)
    this.#float(name)
    f.set(value)
    const pattern = this.#pattern(value)
    const pushError = () => {
      // addend = value - s; error = (s - (value - addend)) + (t - addend), with -t for t where that is subtracted
      f.get(s)
      f.get(value)
      f.get(value)
      f.get(s)
      this.#float('sub')
      f.tee(addend)
      this.#float('sub')
      this.#float('sub')
      f.get(t)
      f.get(addend)
      this.#float(name === 'add' ? 'sub' : 'add')
      this.#float(name)
      f.op(`${int}.reinterpret_${float}` as Plain)
      this.#constant(1n)
      this.#int('shl')
      this.#pushNot0()
    }
    const inexact = this.#inexact(pattern, pushError, () => {
      this.#pushMagnitude(pattern)
      this.#pushNot0()
      this.#slowIf()
    })
    return { value, inexact }
  }

  product(s: Local, t: Local): Result {
    const f = this.#f
    const { float, int, bits, fractionBits } = this.#format
    const value = this.#to.local(float)
    f.get(s)
    f.get(t)
    this.#float('mul')
    f.set(value)
    const pattern = this.#pattern(value)
    const sPattern = this.#pattern(s)
    const tPattern = this.#pattern(t)
    const whole = this.#to.local(int)
    const pushInexact = () => {
      this.#slowIfDenormal(sPattern)
      this.#slowIfDenormal(tPattern)
      this.#pushSignificand(sPattern)
      this.#pushSignificand(tPattern)
      this.#int('mul')
      f.tee(whole)
      this.#constant(BigInt(bits - fractionBits))
      this.#int('shl')
      // Bit p - 1, if the exponents' lowest bits, with the bias's, say that the product has 2p bits.
      f.get(pattern)
      f.get(sPattern)
      this.#int('xor')
      f.get(tPattern)
      this.#int('xor')
      this.#constant(-1n)
      this.#int('xor')
      this.#constant(1n << BigInt(fractionBits))
      this.#int('and')
      f.get(whole)
      this.#int('and')
      this.#int('or')
      this.#pushNot0()
    }
    const inexact = this.#inexact(pattern, pushInexact, () => {
      this.#pushMagnitude(pattern)
      this.#pushNot0()
      this.#slowIf()
      this.#pushMagnitude(sPattern)
      this.#pushNot0()
      this.#pushMagnitude(tPattern)
      this.#pushNot0()
      f.op('i32.and')
      this.#slowIf()
    })
    return { value, inexact }
  }

  quotient(s: Local, t: Local): Result {
    const f = this.#f
    const { float, bits, fractionBits } = this.#format
    const value = this.#to.local(float)
    f.get(s)
    f.get(t)
    this.#float('div')
    f.set(value)
    const pattern = this.#pattern(value)
    const tPattern = this.#pattern(t)
    const pushInexact = () => {
      this.#slowIfDenormal(tPattern)
      this.#pushSignificand(pattern)
      this.#pushSignificand(tPattern)
      this.#int('mul')
      this.#constant(BigInt(bits - fractionBits))
      this.#int('shl')
      this.#pushNot0()
    }
    const inexact = this.#inexact(pattern, pushInexact, () => {
      this.#pushMagnitude(pattern)
      this.#pushMagnitude(this.#pattern(s))
      this.#int('or')
      this.#pushNot0()
      this.#slowIf()
    })
    return { value, inexact }
  }

  /** Of a positive ordinary number. */
  root(s: Local): Result {
    const f = this.#f
    const { float, fractionBits } = this.#format
    const value = this.#to.local(float)
    const inexact = this.#to.local('i32')
    const sPattern = this.#pattern(s)
    this.#pushOrdinary(sPattern)
    f.op('i32.eqz')
    this.#pushHigh(sPattern)
    f.i32(0)
    f.op('i32.lt_s')
    f.op('i32.or')
    this.#slowIf()
    f.get(s)
    this.#float('sqrt')
    f.set(value)
    const pattern = this.#pattern(value)
    this.#pushSignificand(pattern)
    this.#pushSignificand(pattern)
    this.#int('mul')
    this.#pushSignificand(sPattern)
    this.#constant(BigInt(fractionBits + 1))
    f.get(sPattern)
    this.#constant(BigInt(fractionBits))
    this.#int('shr_u')
    this.#constant(1n)
    this.#int('and')
    this.#int('sub')
    this.#int('shl')
    this.#int('ne')
    f.set(inexact)
    return { value, inexact }
  }

  one(): Local {
    const f = this.#f
    const value = this.#to.local(this.#format.float)
    f.f64(1)
    if (this.#format.float === 'f32') f.op('f32.demote_f64')
    f.set(value)
    return value
  }

  negative(of: Local): Local {
    const value = this.#to.local(this.#format.float)
    this.#f.get(of)
    this.#float('neg')
    this.#f.set(value)
    return value
  }

  /** A result of two roundings. */
  both({ value, inexact }: Result, before: Result): Result {
    const f = this.#f
    const either = this.#to.local('i32')
    f.get(inexact)
    f.get(before.inexact)
    f.op('i32.or')
    f.set(either)
    return { value, inexact: either }
  }

  /** From a double, to a single. */
  narrowed(s: Local): Result {
    const f = this.#f
    const value = this.#to.local('f32')
    f.get(s)
    f.op('f32.demote_f64')
    f.set(value)
    const pattern = this.#pattern(value)
    const pushInexact = () => {
      f.get(value)
      f.op('f64.promote_f32')
      f.get(s)
      f.op('f64.ne')
    }
    const inexact = this.#inexact(pattern, pushInexact, () => {
      f.get(s)
      f.f64(0)
      f.op('f64.ne')
      this.#slowIf()
    })
    return { value, inexact }
  }
}
