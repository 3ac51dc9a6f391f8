/**
 * Coprocessor 1's arithmetic without a call, where it is usual: FCSR rounds to nearest and does not enable Inexact, and
 * the result is as `float-arithmetic.ts` wants it. Comparisons and exact conversions look at no mode, only at NaNs.
 *
 *     if (FCSR & GUARD) slow
 *     result, inexact = the operation, which may go to slow
 *     FCSR = FCSR without Cause, with Cause.I and Flags.I if inexact
 */
import assert from 'node:assert/strict'
import { EQUAL, LESS } from '../../softfloat/rules.ts'
import type { Local, Plain } from '../../wasm/function.ts'
import type { Cell, InlineBody, InlineCall } from '../inline-call.ts'
import type { Mnemonic } from './encodings.ts'
import { Arithmetic, DOUBLE, type Format, type Result, SINGLE } from './float-arithmetic.ts'
import { FLOAT_OPERATIONS } from './fpu.ts'
import { FCSR, fpr } from './state.ts'

const FCSR_CELL: Cell = { type: 'i32', offset: FCSR }
/** FCSR.RM and Enables.I: both must be 0 where a result may be inexact. */
const GUARD = 3 | (1 << 7)
const CAUSE_FIELD = 0x3f << 12
/** Cause.I and Flags.I. */
const INEXACT = (1 << 12) | (1 << 2)
const LEAST_WORD = -(2 ** 31)
const LARGEST_WORD = 2 ** 31 - 1

/** The operands of the helper `float` after its number: register numbers, but for comparisons' `d` and `r`. */
interface Operands {
  readonly d: number
  readonly s: number
  readonly t: number
  readonly r: number
}

type Inline = (operands: Operands, fr: boolean) => InlineCall

function cellOf(type: Cell['type'], register: number, fr: boolean): Cell {
  const offset = fpr(register)
  return type === 'f64' && !fr ? { type, offset, high: fpr(register | 1) } : { type, offset }
}

function guard({ f, slow, inputs }: InlineBody): void {
  f.get(inputs[0]!)
  f.i32(GUARD)
  f.op('i32.and')
  f.brIf(slow, false)
}

/** FCSR after an operation: pushes it without Cause. */
function pushQuietFcsr({ f, inputs }: InlineBody): void {
  f.get(inputs[0]!)
  f.i32(~CAUSE_FIELD)
  f.op('i32.and')
}

/** FCSR after an operation that is perhaps inexact. */
function fcsrAfter(to: InlineBody, inexact: Local | undefined): Local {
  const { f } = to
  const after = to.local('i32')
  pushQuietFcsr(to)
  if (inexact !== undefined) {
    f.i32(0)
    f.get(inexact)
    f.op('i32.sub')
    f.i32(INEXACT)
    f.op('i32.and')
    f.op('i32.or')
  }
  f.set(after)
  return after
}

/** An operation on registers of one type that gives one of another; without `inexact` it is exact in every mode. */
const operation =
  (
    from: Cell['type'],
    to: Cell['type'],
    sources: readonly ('s' | 't' | 'r')[],
    compute: (body: InlineBody, operands: Local[]) => { value: Local; inexact?: Local },
    guarded = true,
  ): Inline =>
  (operands, fr) => ({
    reads: [FCSR_CELL, ...sources.map((name) => cellOf(from, operands[name], fr))],
    writes: [cellOf(to, operands.d, fr), FCSR_CELL],
    emit(body) {
      if (guarded) guard(body)
      const { value, inexact } = compute(body, body.inputs.slice(1))
      return [value, fcsrAfter(body, inexact)]
    },
  })

type Compute = (arithmetic: Arithmetic, s: Local, t: Local, r: Local) => Result

const arithmetic = (format: Format, sources: readonly ('s' | 't' | 'r')[], compute: Compute): Inline =>
  operation(format.float, format.float, sources, (body, [s, t, r]) => compute(new Arithmetic(body, format), s!, t!, r!))

const multiplyAdd = (format: Format, name: 'add' | 'sub', negated: boolean): Inline =>
  arithmetic(format, ['s', 't', 'r'], (on, s, t, r) => {
    const product = on.product(s, t)
    const { value, inexact } = on.both(on.sum(name, product.value, r), product)
    return { value: negated ? on.negative(value) : value, inexact }
  })

const operations = <F extends 's' | 'd'>(letter: F, format: Format) => ({
  [`add.${letter}`]: arithmetic(format, ['s', 't'], (on, s, t) => on.sum('add', s, t)),
  [`sub.${letter}`]: arithmetic(format, ['s', 't'], (on, s, t) => on.sum('sub', s, t)),
  [`mul.${letter}`]: arithmetic(format, ['s', 't'], (on, s, t) => on.product(s, t)),
  [`div.${letter}`]: arithmetic(format, ['s', 't'], (on, s, t) => on.quotient(s, t)),
  [`sqrt.${letter}`]: arithmetic(format, ['s'], (on, s) => on.root(s)),
  [`recip.${letter}`]: arithmetic(format, ['s'], (on, s) => on.quotient(on.one(), s)),
  [`rsqrt.${letter}`]: arithmetic(format, ['s'], (on, s) => {
    const root = on.root(s)
    return on.both(on.quotient(on.one(), root.value), root)
  }),
  [`madd.${letter}`]: multiplyAdd(format, 'add', false),
  [`msub.${letter}`]: multiplyAdd(format, 'sub', false),
  [`nmadd.${letter}`]: multiplyAdd(format, 'add', true),
  [`nmsub.${letter}`]: multiplyAdd(format, 'sub', true),
  [`c.cond.${letter}`]: comparison(format),
  [`round.w.${letter}`]: toWord(format, 'nearest'),
  [`trunc.w.${letter}`]: toWord(format, 'trunc'),
  [`ceil.w.${letter}`]: toWord(format, 'ceil'),
  [`floor.w.${letter}`]: toWord(format, 'floor'),
  [`cvt.w.${letter}`]: toWord(format, 'nearest'),
})

/** To a word, by a rounding of the instruction's own, or FCSR's where that is to nearest. */
const toWord = ({ float }: Format, rounding: 'nearest' | 'trunc' | 'ceil' | 'floor'): Inline =>
  operation(float, 'i32', ['s'], (body, [s]) => {
    const { f, slow } = body
    const exact = body.local('f64')
    const rounded = body.local('f64')
    const value = body.local('i32')
    const inexact = body.local('i32')
    f.get(s!)
    if (float === 'f32') f.op('f64.promote_f32')
    f.tee(exact)
    f.op(`f64.${rounding}`)
    f.tee(rounded)
    f.f64(LEAST_WORD)
    f.op('f64.ge')
    f.get(rounded)
    f.f64(LARGEST_WORD)
    f.op('f64.le')
    f.op('i32.and')
    f.op('i32.eqz')
    f.brIf(slow, false)
    f.get(rounded)
    f.op('i32.trunc_f64_s')
    f.set(value)
    f.get(rounded)
    f.get(exact)
    f.op('f64.ne')
    f.set(inexact)
    return { value, inexact }
  })

/** C.cond.fmt of two numbers: FCSR's condition code is whether they are in one of the condition's relations. */
function comparison({ float }: Format): Inline {
  return ({ d: condition, s, t, r: code }, fr) => ({
    reads: [FCSR_CELL, cellOf(float, s, fr), cellOf(float, t, fr)],
    writes: [FCSR_CELL],
    emit(body) {
      const { f, slow, inputs } = body
      const [, x, y] = inputs as [Local, Local, Local]
      const after = body.local('i32')
      const bit = code === 0 ? 23 : 24 + code
      const push = (name: 'eq' | 'lt' | 'le' | 'ge') => {
        f.get(x)
        f.get(y)
        f.op(`${float}.${name}` as Plain)
      }
      push('le')
      push('ge')
      f.op('i32.or')
      f.op('i32.eqz')
      f.brIf(slow, false)
      f.get(inputs[0]!)
      f.i32(~(CAUSE_FIELD | (1 << bit)))
      f.op('i32.and')
      if ((condition & (LESS | EQUAL)) !== 0) {
        push((condition & LESS) === 0 ? 'eq' : (condition & EQUAL) === 0 ? 'lt' : 'le')
        f.i32(bit)
        f.op('i32.shl')
        f.op('i32.or')
      }
      f.set(after)
      return [after]
    },
  })
}

const table: Partial<Record<Mnemonic, Inline>> = {
  ...operations('s', SINGLE),
  ...operations('d', DOUBLE),
  'cvt.s.d': operation('f64', 'f32', ['s'], (body, [s]) => new Arithmetic(body, SINGLE).narrowed(s!)),
  'cvt.d.s': operation(
    'f32',
    'f64',
    ['s'],
    (body, [s]) => {
      const { f, slow } = body
      const value = body.local('f64')
      f.get(s!)
      f.get(s!)
      f.op('f32.eq')
      f.op('i32.eqz')
      f.brIf(slow, false)
      f.get(s!)
      f.op('f64.promote_f32')
      f.set(value)
      return { value }
    },
    false,
  ),
  'cvt.s.w': operation('i32', 'f32', ['s'], (body, [s]) => {
    const { f } = body
    const value = body.local('f32')
    const inexact = body.local('i32')
    f.get(s!)
    f.op('f32.convert_i32_s')
    f.tee(value)
    f.op('f64.promote_f32')
    f.get(s!)
    f.op('f64.convert_i32_s')
    f.op('f64.ne')
    f.set(inexact)
    return { value, inexact }
  }),
  'cvt.d.w': operation(
    'i32',
    'f64',
    ['s'],
    (body, [s]) => {
      const value = body.local('f64')
      body.f.get(s!)
      body.f.op('f64.convert_i32_s')
      body.f.set(value)
      return { value }
    },
    false,
  ),
}

/** By operation number. */
const INLINES = FLOAT_OPERATIONS.map((mnemonic) => table[mnemonic])

/** The helper `float` with `args`, in code lifted for Status.FR = `fr`; undefined where it is always to be called. */
export function inlineFloat(args: readonly (number | undefined)[], fr: boolean): InlineCall | undefined {
  const [number, d, s, t, r] = args as [number, number, number, number, number]
  assert(number < INLINES.length)
  return INLINES[number]?.({ d, s, t, r }, fr)
}
