/**
 * `FloatUnit` against three judges: the host's arithmetic where it applies, exact rational bounds for every rounding mode,
 * and, for the fast path, `exact.ts`. The fourth is QEMU: `cpu-node/oracle`.
 */
import t from 'tap'
import * as exact from './exact.ts'
import {
  DIVIDE_BY_ZERO,
  EQUAL,
  GREATER,
  INEXACT,
  INVALID,
  LESS,
  MIPS_2008,
  MIPS_LEGACY,
  NEAREST_EVEN,
  OVERFLOW,
  type Rounding,
  TOWARD_NEGATIVE,
  TOWARD_POSITIVE,
  TOWARD_ZERO,
  UNDERFLOW,
  UNORDERED,
} from './rules.ts'
import { DOUBLE_EDGES, randomDouble, randomSingle, randomWords, SINGLE_EDGES } from './test-patterns.ts'
import { FloatUnit } from './unit.ts'

const SEED = Number(process.env['ANANKE_TEST_SEED'] ?? 20260117)
const ROUNDINGS: readonly Rounding[] = [NEAREST_EVEN, TOWARD_ZERO, TOWARD_POSITIVE, TOWARD_NEGATIVE]
const view = new DataView(new ArrayBuffer(8))

type Width = 32 | 64
type Operation = 'add' | 'sub' | 'mul' | 'div' | 'sqrt'
const OPERATIONS: readonly Operation[] = ['add', 'sub', 'mul', 'div', 'sqrt']
const EXACT = { add: exact.add, sub: exact.subtract, mul: exact.multiply, div: exact.divide }

function toDouble(width: Width, pattern: bigint): number {
  if (width === 32) {
    view.setUint32(0, Number(pattern))
    return view.getFloat32(0)
  }
  view.setBigUint64(0, pattern)
  return view.getFloat64(0)
}

function fromDouble(width: Width, value: number): bigint {
  if (width === 32) {
    view.setFloat32(0, value)
    return BigInt(view.getUint32(0))
  }
  view.setFloat64(0, value)
  return view.getBigUint64(0)
}

const high = (pattern: bigint): number => Number(pattern >> 32n)
const low = (pattern: bigint): number => Number(BigInt.asUintN(32, pattern))

function result64(unit: FloatUnit): bigint {
  return (BigInt(unit.result[1]! >>> 0) << 32n) | BigInt(unit.result[0]! >>> 0)
}

/** One operation of the unit, on patterns. */
function perform(unit: FloatUnit, width: Width, operation: Operation, a: bigint, b: bigint): bigint {
  unit.flags = 0
  if (width === 32) {
    const pattern = operation === 'sqrt' ? unit.sqrt32(low(a)) : unit[`${operation}32`](low(a), low(b))
    return BigInt(pattern >>> 0)
  }
  if (operation === 'sqrt') unit.sqrt64(high(a), low(a))
  else unit[`${operation}64`](high(a), low(a), high(b), low(b))
  return result64(unit)
}

function hostResult(operation: Operation, a: number, b: number): number {
  switch (operation) {
    case 'add':
      return a + b
    case 'sub':
      return a - b
    case 'mul':
      return a * b
    case 'div':
      return a / b
    case 'sqrt':
      return Math.sqrt(a)
  }
}

interface Rational {
  top: bigint
  bottom: bigint
}

/** The exact value of a finite pattern; an infinity is the next power of two after the largest number. */
function rational(width: Width, pattern: bigint): Rational {
  const format = width === 32 ? exact.SINGLE : exact.DOUBLE
  const magnitude = BigInt.asUintN(width - 1, pattern)
  const field = magnitude >> BigInt(format.fractionBits)
  const fraction = BigInt.asUintN(format.fractionBits, magnitude)
  const significand = field === 0n ? fraction : fraction + (1n << BigInt(format.fractionBits))
  const shift = field === 0n ? 0n : field - 1n
  const bottom = 1n << BigInt(format.fractionBits - format.minimumExponent)
  return { top: (pattern >> BigInt(width - 1) ? -significand : significand) << shift, bottom }
}

function isInfinite(width: Width, pattern: bigint): boolean {
  return !Number.isFinite(toDouble(width, pattern))
}

/** The sign of `operation(a, b) - r`, exactly. */
function errorSign(operation: Operation, a: Rational, b: Rational, r: Rational): number {
  const sign = (value: bigint): number => (value === 0n ? 0 : value > 0n ? 1 : -1)
  if (operation === 'sqrt') return sign(a.top * r.bottom * r.bottom - r.top * r.top * a.bottom)
  const top = {
    add: a.top * b.bottom + b.top * a.bottom,
    sub: a.top * b.bottom - b.top * a.bottom,
    mul: a.top * b.top,
    div: b.top < 0n ? -a.top * b.bottom : a.top * b.bottom,
  }[operation]
  const bottom = operation === 'div' ? (b.top < 0n ? -b.top : b.top) * a.bottom : a.bottom * b.bottom
  return sign(top * r.bottom - r.top * bottom)
}

/** The least pattern above, in the order of numbers, of a pattern that is not the positive infinity. */
function nextUp(width: Width, pattern: bigint): bigint {
  const signBit = 1n << BigInt(width - 1)
  if (pattern === signBit) return 1n
  return pattern & signBit ? pattern - 1n : pattern + 1n
}

function nextDown(width: Width, pattern: bigint): bigint {
  const signBit = 1n << BigInt(width - 1)
  return nextUp(width, pattern ^ signBit) ^ signBit
}

/** What is wrong with a result, by exact bounds; undefined where nothing is. */
function wrongRounding(unit: FloatUnit, width: Width, operation: Operation, a: bigint, b: bigint, r: bigint) {
  const isNegative = r >> BigInt(width - 1) === 1n
  const [x, y] = [rational(width, a), rational(width, b)]
  const errorOf = (pattern: bigint): number => {
    if (!isInfinite(width, pattern)) return errorSign(operation, x, y, rational(width, pattern))
    return pattern >> BigInt(width - 1) ? 1 : -1
  }
  const error = errorOf(r)
  if ((error !== 0) !== ((unit.flags & INEXACT) !== 0)) return 'inexact flag'
  if (error === 0) return undefined
  const towardZero = unit.rounding === TOWARD_ZERO
  if (error > 0 && (unit.rounding === TOWARD_POSITIVE || (towardZero && isNegative))) return 'too low'
  if (error < 0 && (unit.rounding === TOWARD_NEGATIVE || (towardZero && !isNegative))) return 'too high'
  const other = error > 0 ? nextUp(width, r) : nextDown(width, r)
  if (errorOf(other) * error >= 0) return 'not a neighbour'
  return unit.rounding === NEAREST_EVEN ? wrongHalf(width, operation, a, b, r, other) : undefined
}

/** Whether `other`, on the far side of the true value, would have been nearer, or as near and even. */
function wrongHalf(width: Width, operation: Operation, a: bigint, b: bigint, r: bigint, other: bigint) {
  const p = rational(width, r)
  const q = rational(width, other)
  const middle = { top: p.top * q.bottom + q.top * p.bottom, bottom: 2n * p.bottom * q.bottom }
  const side = errorSign(operation, rational(width, a), rational(width, b), middle)
  const resultIsBelow = p.top * q.bottom < q.top * p.bottom
  if (side === 0) return (r & 1n) === 0n ? undefined : 'tie not to even'
  return side > 0 === resultIsBelow ? 'other neighbour is nearer' : undefined
}

function isFiniteResult(operation: Operation, a: number, b: number): boolean {
  if (!Number.isFinite(a) || (operation === 'sqrt' && a < 0)) return false
  return operation === 'sqrt' || (Number.isFinite(b) && !(operation === 'div' && b === 0))
}

function report(unit: FloatUnit, width: Width, operation: Operation, a: bigint, b: bigint, r: bigint): string {
  const hex = [a, b, r].map((pattern) => pattern.toString(16)).join(' ')
  return `${operation}${width} ${hex} rounding ${unit.rounding} flags ${unit.flags}`
}

function operandPairs(width: Width, count: number): Array<[bigint, bigint]> {
  const next = randomWords(SEED + width)
  const edges = width === 32 ? SINGLE_EDGES : DOUBLE_EDGES
  const pairs: Array<[bigint, bigint]> = edges.flatMap((a) => edges.map((b): [bigint, bigint] => [a, b]))
  const random = width === 32 ? randomSingle : randomDouble
  for (let index = 0; index < count; index++) pairs.push([random(next), random(next)])
  return pairs
}

for (const width of [32, 64] as const) {
  t.test(`arithmetic of ${width} bits, seed ${SEED}`, (t) => {
    const unit = new FloatUnit(MIPS_LEGACY)
    const environment = new FloatUnit(MIPS_LEGACY)
    const format = width === 32 ? exact.SINGLE : exact.DOUBLE
    const wrong: string[] = []
    const complain = (why: string, ...what: Parameters<typeof report>): void => {
      if (wrong.length < 20) wrong.push(`${why}: ${report(...what)}`)
    }
    let checked = 0
    for (const [a, b] of operandPairs(width, 4000)) {
      const x = toDouble(width, a)
      const y = toDouble(width, b)
      for (const operation of OPERATIONS) {
        const finite = isFiniteResult(operation, x, y)
        for (const rounding of ROUNDINGS) {
          if (rounding !== NEAREST_EVEN && checked % 3 !== 0 && !finite) continue
          unit.rounding = rounding
          environment.rounding = rounding
          environment.flags = 0
          const r = perform(unit, width, operation, a, b)
          const byExact =
            operation === 'sqrt'
              ? exact.squareRoot(environment, format, a)
              : EXACT[operation](environment, format, a, b)
          if (r !== byExact || unit.flags !== environment.flags) {
            complain('fast and exact differ', unit, width, operation, a, b, r)
          }
          if (rounding === NEAREST_EVEN) {
            const host = hostResult(operation, x, y)
            if (Number.isNaN(host) ? !Number.isNaN(toDouble(width, r)) : fromDouble(width, host) !== r) {
              complain('host differs', unit, width, operation, a, b, r)
            }
          }
          const why = finite ? wrongRounding(unit, width, operation, a, b, r) : undefined
          if (why !== undefined) complain(why, unit, width, operation, a, b, r)
          checked++
        }
      }
    }
    t.same(wrong, [], `${checked} results`)
    t.end()
  })
}

t.test('flags', (t) => {
  const unit = new FloatUnit(MIPS_LEGACY)
  const cases: Array<[Operation, bigint, bigint, Rounding, bigint, number]> = [
    ['div', 0x3f800000n, 0n, NEAREST_EVEN, 0x7f800000n, DIVIDE_BY_ZERO],
    ['div', 0n, 0n, NEAREST_EVEN, 0x7fbfffffn, INVALID],
    ['div', 0x7f800000n, 0xff800000n, NEAREST_EVEN, 0x7fbfffffn, INVALID],
    ['sub', 0x7f800000n, 0x7f800000n, NEAREST_EVEN, 0x7fbfffffn, INVALID],
    ['mul', 0x7f800000n, 0n, NEAREST_EVEN, 0x7fbfffffn, INVALID],
    ['sqrt', 0xbf800000n, 0n, NEAREST_EVEN, 0x7fbfffffn, INVALID],
    ['sqrt', 0x80000000n, 0n, NEAREST_EVEN, 0x80000000n, 0],
    ['mul', 0x7f7fffffn, 0x40000000n, NEAREST_EVEN, 0x7f800000n, OVERFLOW | INEXACT],
    ['mul', 0x7f7fffffn, 0x40000000n, TOWARD_ZERO, 0x7f7fffffn, OVERFLOW | INEXACT],
    ['mul', 0xff7fffffn, 0x40000000n, TOWARD_POSITIVE, 0xff7fffffn, OVERFLOW | INEXACT],
    ['mul', 0xff7fffffn, 0x40000000n, TOWARD_NEGATIVE, 0xff800000n, OVERFLOW | INEXACT],
    ['mul', 0x00800000n, 0x3f000000n, NEAREST_EVEN, 0x00400000n, 0],
    ['mul', 0x00800001n, 0x3f000000n, NEAREST_EVEN, 0x00400000n, UNDERFLOW | INEXACT],
    // Rounds up to the least normal number, from a value that 24 bits could hold below it: tiny.
    ['mul', 0x3f7fffffn, 0x00800000n, NEAREST_EVEN, 0x00800000n, UNDERFLOW | INEXACT],
    ['add', 0x7fc00000n, 0x3f800000n, NEAREST_EVEN, 0x7fbfffffn, INVALID],
    ['add', 0x7f800001n, 0x3f800000n, NEAREST_EVEN, 0x7fbfffffn, 0],
    ['sub', 0x3f800000n, 0xff812345n, NEAREST_EVEN, 0x7fbfffffn, 0],
    ['add', 0x7f800001n, 0x7fc00000n, NEAREST_EVEN, 0x7fbfffffn, INVALID],
    ['sub', 0x3f800000n, 0x3f800000n, TOWARD_NEGATIVE, 0x80000000n, 0],
    ['sub', 0x3f800000n, 0x3f800000n, NEAREST_EVEN, 0n, 0],
  ]
  for (const [operation, a, b, rounding, expected, flags] of cases) {
    unit.rounding = rounding
    const r = perform(unit, 32, operation, a, b)
    t.same([r, unit.flags], [expected, flags], report(unit, 32, operation, a, b, r))
  }
  unit.rounding = NEAREST_EVEN
  unit.flushToZero = true
  t.equal(perform(unit, 32, 'mul', 0x80800001n, 0x3f000000n), 0x80000000n, 'flushed to a zero of its sign')
  t.equal(unit.flags, 0)
  t.end()
})

t.test('tininess after rounding', (t) => {
  const unit = new FloatUnit(MIPS_LEGACY)
  // (1 + 2^-23) * (1 - 2^-23) * 2^-126 is 2^-126 * (1 - 2^-46): with an unbounded exponent it rounds to 2^-126.
  t.equal(perform(unit, 32, 'mul', 0x3f800001n, 0x007fffffn), 0x00800000n)
  t.equal(unit.flags, INEXACT)
  unit.rules = { ...MIPS_LEGACY, tininess: 'before' }
  t.equal(perform(unit, 32, 'mul', 0x3f800001n, 0x007fffffn), 0x00800000n)
  t.equal(unit.flags, INEXACT | UNDERFLOW)
  t.end()
})

t.test('NaNs with NAN2008', (t) => {
  const unit = new FloatUnit(MIPS_2008)
  t.equal(perform(unit, 32, 'add', 0x7f800001n, 0x3f800000n), 0x7fc00001n)
  t.equal(unit.flags, INVALID)
  t.equal(perform(unit, 32, 'add', 0x7fc01234n, 0xffc00001n), 0x7fc01234n)
  t.equal(perform(unit, 32, 'add', 0x7fc01234n, 0xff800001n), 0xffc00001n)
  t.equal(perform(unit, 32, 'div', 0n, 0n), 0x7fc00000n)
  unit.f32ToF64(0xffc12345)
  t.equal(result64(unit), 0xfff82468a0000000n)
  t.equal(unit.f64ToF32(0xfff00000, 1) >>> 0, 0xffc00000, 'a payload that does not fit leaves the quiet bit')
  t.equal(unit.f32ToI32(0x7fc00000, TOWARD_ZERO), 0)
  t.equal(unit.f32ToI32(0xff800000, TOWARD_ZERO), -0x80000000)
  t.end()
})

t.test('comparisons', (t) => {
  const unit = new FloatUnit(MIPS_LEGACY)
  let count = 0
  for (const [a, b] of operandPairs(64, 500)) {
    const x = toDouble(64, a)
    const y = toDouble(64, b)
    const expected = x < y ? LESS : x > y ? GREATER : x === y ? EQUAL : UNORDERED
    const byUnit = unit.compare64(high(a), low(a), high(b), low(b), false)
    if (byUnit !== expected) t.fail(`${a.toString(16)} ${b.toString(16)}: ${byUnit}`)
    const byExact = exact.compare(unit, exact.DOUBLE, a, b, false)
    if (byExact !== expected) t.fail(`exact ${a.toString(16)} ${b.toString(16)}: ${byExact}`)
    count++
  }
  t.ok(count > 500)
  unit.flags = 0
  t.equal(unit.compare32(0x7f800001, 0x3f800000, false), UNORDERED)
  t.equal(unit.flags, 0, 'a quiet NaN, quietly')
  t.equal(unit.compare32(0x7f800001, 0x3f800000, true), UNORDERED)
  t.equal(unit.flags, INVALID)
  unit.flags = 0
  t.equal(unit.compare32(0x3f800000, 0x7fc00000, false), UNORDERED)
  t.equal(unit.flags, INVALID, 'a signalling NaN')
  t.end()
})

/** Nearest, ties to even, in plain words: the integer of the two around `value` that fits the mode. */
function expectedInteger(value: number, rounding: Rounding): bigint {
  const below = BigInt(Math.floor(value))
  const rest = value - Math.floor(value)
  if (rest === 0) return below
  if (rounding === TOWARD_NEGATIVE) return below
  if (rounding === TOWARD_POSITIVE) return below + 1n
  if (rounding === TOWARD_ZERO) return value < 0 ? below + 1n : below
  if (rest === 0.5) return below % 2n === 0n ? below : below + 1n
  return rest < 0.5 ? below : below + 1n
}

t.test(`conversions to integers, seed ${SEED}`, (t) => {
  const unit = new FloatUnit(MIPS_LEGACY)
  const next = randomWords(SEED)
  const wrong: string[] = []
  const check = (name: string, pattern: bigint, value: number, bits: Width, rounding: Rounding, r: bigint): void => {
    const limit = 2n ** BigInt(bits - 1)
    const wanted = Number.isFinite(value) ? expectedInteger(value, rounding) : limit
    const valid = wanted >= -limit && wanted < limit
    const flags = !valid ? INVALID : Number(wanted) === value ? 0 : INEXACT
    if (r === (valid ? wanted : limit - 1n) && unit.flags === flags) return
    if (wrong.length < 20) wrong.push(`${name} ${pattern.toString(16)} rounding ${rounding}: ${r} flags ${unit.flags}`)
  }
  let count = 0
  const doubles = [...DOUBLE_EDGES, ...Array.from({ length: 2000 }, () => randomDouble(next))]
  const singles = [...SINGLE_EDGES, ...Array.from({ length: 2000 }, () => randomSingle(next))]
  for (const rounding of ROUNDINGS) {
    for (const a of doubles) {
      unit.flags = 0
      check('f64ToI32', a, toDouble(64, a), 32, rounding, BigInt(unit.f64ToI32(high(a), low(a), rounding)))
      unit.flags = 0
      unit.f64ToI64(high(a), low(a), rounding)
      check('f64ToI64', a, toDouble(64, a), 64, rounding, BigInt.asIntN(64, result64(unit)))
      count += 2
    }
    for (const a of singles) {
      unit.flags = 0
      check('f32ToI32', a, toDouble(32, a), 32, rounding, BigInt(unit.f32ToI32(low(a), rounding)))
      unit.flags = 0
      unit.f32ToI64(low(a), rounding)
      check('f32ToI64', a, toDouble(32, a), 64, rounding, BigInt.asIntN(64, result64(unit)))
      count += 2
    }
  }
  t.same(wrong, [], `${count} results`)
  t.end()
})

t.test(`conversions from integers and between formats, seed ${SEED}`, (t) => {
  const unit = new FloatUnit(MIPS_LEGACY)
  const other = new FloatUnit(MIPS_LEGACY)
  const next = randomWords(SEED)
  const wrong: string[] = []
  const compare = (name: string, operand: bigint, r: bigint, expected: bigint, judge: FloatUnit = other): void => {
    if ((r !== expected || unit.flags !== judge.flags) && wrong.length < 20) {
      wrong.push(`${name} ${operand.toString(16)}: ${r.toString(16)} flags ${unit.flags}, not ${expected.toString(16)}`)
    }
    unit.flags = 0
    other.flags = 0
  }
  const edges = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 2n ** 24n + 1n, 2n ** 62n + 2n ** 38n]
  const integers = [...edges, ...Array.from({ length: 3000 }, () => BigInt.asIntN(64, randomDouble(next)))]
  for (const rounding of ROUNDINGS) {
    unit.rounding = rounding
    other.rounding = rounding
    for (const wide of integers) {
      const value = BigInt.asIntN(64, wide >> BigInt(next() % 60))
      const i32 = BigInt.asIntN(32, value)
      const [h, l] = [Number(BigInt.asIntN(32, value >> 32n)), Number(i32)]
      compare('i32ToF32', i32, BigInt(unit.i32ToF32(l) >>> 0), exact.fromInteger(other, exact.SINGLE, i32))
      compare('i64ToF32', value, BigInt(unit.i64ToF32(h, l) >>> 0), exact.fromInteger(other, exact.SINGLE, value))
      unit.i32ToF64(l)
      compare('i32ToF64', i32, result64(unit), exact.fromInteger(other, exact.DOUBLE, i32))
      unit.i64ToF64(h, l)
      compare('i64ToF64', value, result64(unit), exact.fromInteger(other, exact.DOUBLE, value))
      if (rounding === NEAREST_EVEN) {
        unit.i64ToF64(h, l)
        unit.flags = 0
        compare('host', value, result64(unit), fromDouble(64, Number(value)))
      }
    }
    for (const a of [...DOUBLE_EDGES, ...integers.map(() => randomDouble(next))]) {
      const r = BigInt(unit.f64ToF32(high(a), low(a)) >>> 0)
      compare('f64ToF32', a, r, exact.convertFormat(other, exact.DOUBLE, exact.SINGLE, a))
      const value = toDouble(64, a)
      if (rounding === NEAREST_EVEN && !Number.isNaN(value)) compare('host', a, r, fromDouble(32, value))
    }
    for (const a of [...SINGLE_EDGES, ...integers.map(() => randomSingle(next))]) {
      unit.f32ToF64(low(a))
      compare('f32ToF64', a, result64(unit), exact.convertFormat(other, exact.SINGLE, exact.DOUBLE, a))
      const value = toDouble(32, a)
      if (!Number.isNaN(value)) compare('host', a, result64(unit), fromDouble(64, value))
    }
  }
  t.same(wrong, [])
  t.end()
})
