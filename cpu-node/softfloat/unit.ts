/**
 * The floating-point unit that an interpreter calls: IEEE 754 single and double on bit patterns in 32-bit halves.
 *
 * Ordinary operands with rounding to nearest go through the host's arithmetic, and whether the result is exact is found
 * with an error-free transformation (Dekker 1971, Knuth 4.2.2): no MIPS instruction may leave FCSR's Cause wrong, so
 * a sticky flag that is already set saves nothing. Everything else goes to `exact.ts`. Both give the same bits, which a
 * test checks. Singles are computed as doubles and rounded once more, which is harmless for + - * / and the square root
 * (53 >= 2 * 24 + 2).
 *
 * Patterns are int32 or uint32 on the way in and int32 on the way out. A 64-bit result stands in `result`, low half
 * first, until the next operation. Flags gather in `flags`: the caller clears them before an instruction.
 */
import assert from 'node:assert/strict'
import {
  add,
  compare,
  convertFormat,
  DOUBLE,
  divide,
  type FloatEnvironment,
  type FloatFormat,
  fromInteger,
  multiply,
  SINGLE,
  squareRoot,
  subtract,
  toInteger,
} from './exact.ts'
import {
  EQUAL,
  type FloatRules,
  GREATER,
  INEXACT,
  LESS,
  NEAREST_EVEN,
  type Rounding,
  TOWARD_NEGATIVE,
  TOWARD_POSITIVE,
  TOWARD_ZERO,
} from './rules.ts'

const LEAST_NORMAL_SINGLE = 2 ** -126
const LEAST_NORMAL_DOUBLE = 2 ** -1022
const LARGEST_SINGLE = (2 - 2 ** -23) * 2 ** 127
const LARGEST_DOUBLE = Number.MAX_VALUE
/** Between these, a product's error and the halves of a split factor are exact doubles. */
const LEAST_SPLIT = 2 ** -960
const LARGEST_SPLIT = 2 ** 990
/** Veltkamp's constant for 53 bits: splits a double in two of 26. */
const SPLITTER = 2 ** 27 + 1
const TWO_TO_32 = 2 ** 32

type Binary = (env: FloatEnvironment, format: FloatFormat, a: bigint, b: bigint) => bigint

export class FloatUnit implements FloatEnvironment {
  rounding: Rounding = NEAREST_EVEN
  flushToZero = false
  rules: FloatRules
  /** Exception flags gathered since the caller last cleared them: `INEXACT | ...` of `rules.ts`. */
  flags = 0
  /** The last 64-bit result: `result[0]` its low half, `result[1]` its high half. */
  readonly result: Int32Array

  // Doubles a, b, result and, from byte 24, singles a, b, result; words are their halves, low half first.
  private readonly doubles: Float64Array
  private readonly singles: Float32Array
  private readonly words: Int32Array

  constructor(rules: FloatRules) {
    this.rules = rules
    const buffer = new ArrayBuffer(40)
    this.doubles = new Float64Array(buffer, 0, 3)
    this.singles = new Float32Array(buffer, 24, 3)
    this.words = new Int32Array(buffer)
    this.result = new Int32Array(buffer, 16, 2)
    this.doubles[0] = 1
    assert.equal(this.words[1], 0x3ff00000, 'the host is little endian')
  }

  add32(a: number, b: number): number {
    const { words, singles } = this
    words[6] = a
    words[7] = b
    const x = singles[0]!
    const y = singles[1]!
    const sum = x + y
    const rounded = Math.fround(sum)
    const size = Math.abs(rounded)
    if (this.rounding !== NEAREST_EVEN || !((size > LEAST_NORMAL_SINGLE && size <= LARGEST_SINGLE) || sum === 0)) {
      return this.exact32(add, a, b)
    }
    if (rounded !== sum || sumError(x, y, sum) !== 0) this.flags |= INEXACT
    singles[2] = rounded
    return words[8]!
  }

  sub32(a: number, b: number): number {
    const { words, singles } = this
    words[6] = a
    words[7] = b
    const x = singles[0]!
    const y = -singles[1]!
    const sum = x + y
    const rounded = Math.fround(sum)
    const size = Math.abs(rounded)
    if (this.rounding !== NEAREST_EVEN || !((size > LEAST_NORMAL_SINGLE && size <= LARGEST_SINGLE) || sum === 0)) {
      return this.exact32(subtract, a, b)
    }
    if (rounded !== sum || sumError(x, y, sum) !== 0) this.flags |= INEXACT
    singles[2] = rounded
    return words[8]!
  }

  mul32(a: number, b: number): number {
    const { words, singles } = this
    words[6] = a
    words[7] = b
    const product = singles[0]! * singles[1]!
    const rounded = Math.fround(product)
    const size = Math.abs(rounded)
    if (this.rounding !== NEAREST_EVEN || !((size > LEAST_NORMAL_SINGLE && size <= LARGEST_SINGLE) || product === 0)) {
      return this.exact32(multiply, a, b)
    }
    if (rounded !== product) this.flags |= INEXACT
    singles[2] = rounded
    return words[8]!
  }

  div32(a: number, b: number): number {
    const { words, singles } = this
    words[6] = a
    words[7] = b
    const x = singles[0]!
    const y = singles[1]!
    const quotient = Math.fround(x / y)
    const size = Math.abs(quotient)
    if (this.rounding !== NEAREST_EVEN || !(size > LEAST_NORMAL_SINGLE && size <= LARGEST_SINGLE)) {
      return this.exact32(divide, a, b)
    }
    if (quotient * y !== x) this.flags |= INEXACT
    singles[2] = quotient
    return words[8]!
  }

  sqrt32(a: number): number {
    const { words, singles } = this
    words[6] = a
    const x = singles[0]!
    if (this.rounding !== NEAREST_EVEN || !(x > 0 && x <= LARGEST_SINGLE)) {
      return Number(BigInt.asIntN(32, squareRoot(this, SINGLE, BigInt(a >>> 0))))
    }
    const root = Math.fround(Math.sqrt(x))
    if (root * root !== x) this.flags |= INEXACT
    singles[2] = root
    return words[8]!
  }

  /** `EQUAL`, `LESS`, `GREATER` or `UNORDERED`; a quiet NaN is invalid if `signalling`, a signalling one always. */
  compare32(a: number, b: number, signalling: boolean): number {
    const { words, singles } = this
    words[6] = a
    words[7] = b
    const x = singles[0]!
    const y = singles[1]!
    if (x < y) return LESS
    if (x > y) return GREATER
    if (x === y) return EQUAL
    return compare(this, SINGLE, BigInt(a >>> 0), BigInt(b >>> 0), signalling)
  }

  add64(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
    const { words, doubles } = this
    words[0] = aLow
    words[1] = aHigh
    words[2] = bLow
    words[3] = bHigh
    const x = doubles[0]!
    const y = doubles[1]!
    const sum = x + y
    const size = Math.abs(sum)
    if (this.rounding !== NEAREST_EVEN || !((size >= LEAST_NORMAL_DOUBLE && size <= LARGEST_DOUBLE) || sum === 0)) {
      this.exact64(add, aHigh, aLow, bHigh, bLow)
      return
    }
    if (sumError(x, y, sum) !== 0) this.flags |= INEXACT
    doubles[2] = sum
  }

  sub64(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
    const { words, doubles } = this
    words[0] = aLow
    words[1] = aHigh
    words[2] = bLow
    words[3] = bHigh
    const x = doubles[0]!
    const y = -doubles[1]!
    const sum = x + y
    const size = Math.abs(sum)
    if (this.rounding !== NEAREST_EVEN || !((size >= LEAST_NORMAL_DOUBLE && size <= LARGEST_DOUBLE) || sum === 0)) {
      this.exact64(subtract, aHigh, aLow, bHigh, bLow)
      return
    }
    if (sumError(x, y, sum) !== 0) this.flags |= INEXACT
    doubles[2] = sum
  }

  mul64(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
    const { words, doubles } = this
    words[0] = aLow
    words[1] = aHigh
    words[2] = bLow
    words[3] = bHigh
    const x = doubles[0]!
    const y = doubles[1]!
    const product = x * y
    if (this.rounding !== NEAREST_EVEN || !(splits(x) && splits(y) && splits(product))) {
      this.exact64(multiply, aHigh, aLow, bHigh, bLow)
      return
    }
    if (productError(x, y, product) !== 0) this.flags |= INEXACT
    doubles[2] = product
  }

  div64(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
    const { words, doubles } = this
    words[0] = aLow
    words[1] = aHigh
    words[2] = bLow
    words[3] = bHigh
    const x = doubles[0]!
    const y = doubles[1]!
    const quotient = x / y
    if (this.rounding !== NEAREST_EVEN || !(splits(x) && splits(y) && splits(quotient))) {
      this.exact64(divide, aHigh, aLow, bHigh, bLow)
      return
    }
    const product = quotient * y
    if (product !== x || productError(quotient, y, product) !== 0) this.flags |= INEXACT
    doubles[2] = quotient
  }

  sqrt64(aHigh: number, aLow: number): void {
    const { words, doubles } = this
    words[0] = aLow
    words[1] = aHigh
    const x = doubles[0]!
    if (this.rounding !== NEAREST_EVEN || !(x > 0 && splits(x))) {
      this.leave64(squareRoot(this, DOUBLE, join(aHigh, aLow)))
      return
    }
    const root = Math.sqrt(x)
    const square = root * root
    if (square !== x || productError(root, root, square) !== 0) this.flags |= INEXACT
    doubles[2] = root
  }

  /** As `compare32`. */
  compare64(aHigh: number, aLow: number, bHigh: number, bLow: number, signalling: boolean): number {
    const { words, doubles } = this
    words[0] = aLow
    words[1] = aHigh
    words[2] = bLow
    words[3] = bHigh
    const x = doubles[0]!
    const y = doubles[1]!
    if (x < y) return LESS
    if (x > y) return GREATER
    if (x === y) return EQUAL
    return compare(this, DOUBLE, join(aHigh, aLow), join(bHigh, bLow), signalling)
  }

  /** Single to double, into `result`. */
  f32ToF64(a: number): void {
    const { words, singles, doubles } = this
    words[6] = a
    const x = singles[0]!
    if (Math.abs(x) <= LARGEST_SINGLE) doubles[2] = x
    else this.leave64(convertFormat(this, SINGLE, DOUBLE, BigInt(a >>> 0)))
  }

  /** Double to single. */
  f64ToF32(aHigh: number, aLow: number): number {
    const { words, singles, doubles } = this
    words[0] = aLow
    words[1] = aHigh
    const x = doubles[0]!
    const rounded = Math.fround(x)
    const size = Math.abs(rounded)
    if (this.rounding !== NEAREST_EVEN || !((size > LEAST_NORMAL_SINGLE && size <= LARGEST_SINGLE) || x === 0)) {
      return Number(BigInt.asIntN(32, convertFormat(this, DOUBLE, SINGLE, join(aHigh, aLow))))
    }
    if (rounded !== x) this.flags |= INEXACT
    singles[2] = rounded
    return words[8]!
  }

  /** Signed 32-bit integer to single. */
  i32ToF32(a: number): number {
    const { words, singles } = this
    const x = a | 0
    const rounded = Math.fround(x)
    if (rounded !== x) {
      if (this.rounding !== NEAREST_EVEN) return Number(BigInt.asIntN(32, fromInteger(this, SINGLE, BigInt(x))))
      this.flags |= INEXACT
    }
    singles[2] = rounded
    return words[8]!
  }

  /** Signed 32-bit integer to double, into `result`; always exact. */
  i32ToF64(a: number): void {
    this.doubles[2] = a | 0
  }

  /** Signed 64-bit integer to single. */
  i64ToF32(aHigh: number, aLow: number): number {
    return Number(BigInt.asIntN(32, fromInteger(this, SINGLE, BigInt.asIntN(64, join(aHigh, aLow)))))
  }

  /** Signed 64-bit integer to double, into `result`. */
  i64ToF64(aHigh: number, aLow: number): void {
    const high = aHigh | 0
    if (high >= -0x200000 && high < 0x200000) this.doubles[2] = high * TWO_TO_32 + (aLow >>> 0)
    else this.leave64(fromInteger(this, DOUBLE, BigInt.asIntN(64, join(aHigh, aLow))))
  }

  /** Single to signed 32-bit integer, by `rounding` rather than the unit's own mode: for `trunc.w.s` and its like. */
  f32ToI32(a: number, rounding: Rounding): number {
    const { words, singles } = this
    words[6] = a
    const x = singles[0]!
    const rounded = roundToInteger(x, rounding)
    if (!(rounded >= -0x80000000 && rounded <= 0x7fffffff)) {
      return Number(toInteger(this, SINGLE, BigInt(a >>> 0), 32, rounding))
    }
    if (rounded !== x) this.flags |= INEXACT
    return rounded | 0
  }

  /** Double to signed 32-bit integer, by `rounding`. */
  f64ToI32(aHigh: number, aLow: number, rounding: Rounding): number {
    const { words, doubles } = this
    words[0] = aLow
    words[1] = aHigh
    const x = doubles[0]!
    const rounded = roundToInteger(x, rounding)
    if (!(rounded >= -0x80000000 && rounded <= 0x7fffffff)) {
      return Number(toInteger(this, DOUBLE, join(aHigh, aLow), 32, rounding))
    }
    if (rounded !== x) this.flags |= INEXACT
    return rounded | 0
  }

  /** Single to signed 64-bit integer, by `rounding`, into `result`. */
  f32ToI64(a: number, rounding: Rounding): void {
    this.words[6] = a
    if (!this.integer64(this.singles[0]!, rounding)) {
      this.leave64(toInteger(this, SINGLE, BigInt(a >>> 0), 64, rounding))
    }
  }

  /** Double to signed 64-bit integer, by `rounding`, into `result`. */
  f64ToI64(aHigh: number, aLow: number, rounding: Rounding): void {
    this.words[0] = aLow
    this.words[1] = aHigh
    if (!this.integer64(this.doubles[0]!, rounding)) {
      this.leave64(toInteger(this, DOUBLE, join(aHigh, aLow), 64, rounding))
    }
  }

  private integer64(x: number, rounding: Rounding): boolean {
    const rounded = roundToInteger(x, rounding)
    if (!(Math.abs(rounded) <= Number.MAX_SAFE_INTEGER)) return false
    if (rounded !== x) this.flags |= INEXACT
    this.result[0] = rounded
    this.result[1] = Math.floor(rounded / TWO_TO_32)
    return true
  }

  private exact32(operation: Binary, a: number, b: number): number {
    return Number(BigInt.asIntN(32, operation(this, SINGLE, BigInt(a >>> 0), BigInt(b >>> 0))))
  }

  private exact64(operation: Binary, aHigh: number, aLow: number, bHigh: number, bLow: number): void {
    this.leave64(operation(this, DOUBLE, join(aHigh, aLow), join(bHigh, bLow)))
  }

  private leave64(pattern: bigint): void {
    this.result[0] = Number(BigInt.asIntN(32, pattern))
    this.result[1] = Number(BigInt.asIntN(32, pattern >> 32n))
  }
}

function join(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}

/** What `sum`, which is `x + y` rounded, lacks of `x + y`. */
function sumError(x: number, y: number, sum: number): number {
  const addend = sum - x
  return x - (sum - addend) + (y - addend)
}

/** Whether `x` is in the range in which `productError` holds. */
function splits(x: number): boolean {
  const size = Math.abs(x)
  return size >= LEAST_SPLIT && size <= LARGEST_SPLIT
}

/** What `product`, which is `x * y` rounded, lacks of `x * y`. */
function productError(x: number, y: number, product: number): number {
  const scaledX = x * SPLITTER
  const highX = scaledX - (scaledX - x)
  const lowX = x - highX
  const scaledY = y * SPLITTER
  const highY = scaledY - (scaledY - y)
  const lowY = y - highY
  return highX * highY - product + highX * lowY + lowX * highY + lowX * lowY
}

/** An integral double; NaN and infinities stay what they are. */
function roundToInteger(x: number, rounding: Rounding): number {
  switch (rounding) {
    case TOWARD_ZERO:
      return Math.trunc(x)
    case TOWARD_POSITIVE:
      return Math.ceil(x)
    case TOWARD_NEGATIVE:
      return Math.floor(x)
    case NEAREST_EVEN: {
      const below = Math.floor(x)
      const rest = x - below
      if (rest < 0.5) return below
      if (rest > 0.5) return below + 1
      return below % 2 === 0 ? below : below + 1
    }
  }
}
