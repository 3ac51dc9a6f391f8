/**
 * Pure operations of the IR in WebAssembly.
 */
import assert from 'node:assert/strict'
import type { Binary, Compare, Op, Value } from '../ir/ir.ts'
import type { FunctionBody, Local, Plain, ValueType } from '../wasm/function.ts'

/** Pushes the result of a pure operation other than `get`. `push` pushes an operand. */
export function emitPure(f: FunctionBody, op: Op, push: (value: Value) => void, local: () => Local): void {
  switch (op.op) {
    case 'binary':
      push(op.a)
      if (op.name === 'rotr' && op.type === 'i32') emitRotate(f, local(), local(), () => push(op.b))
      else {
        push(op.b)
        f.op(`${op.type}.${BINARIES[op.name]}` as Plain)
      }
      return
    case 'compare':
      push(op.a)
      push(op.b)
      f.op(`${op.type}.${COMPARES[op.name]}` as Plain)
      return
    case 'unary':
      push(op.a)
      if (op.name === 'swap') emitSwap(f, local())
      else f.op(`${op.type}.${UNARIES[op.name]}` as Plain)
      return
    case 'convert':
      push(op.a)
      f.op(CONVERTS[op.name])
      return
    case 'select':
      push(op.a)
      push(op.b)
      push(op.condition)
      f.op('select')
      return
    default:
      assert.fail(`${op.op} is not pure`)
  }
}

/**
 * x >>> bits | x << (32 - bits): of an i32.rotr V8's first compiler makes a call, its second sees a rotation here too.
 * x is on the stack.
 */
function emitRotate(f: FunctionBody, x: Local, bits: Local, pushBits: () => void): void {
  f.set(x)
  pushBits()
  f.set(bits)
  f.get(x)
  f.get(bits)
  f.op('i32.shr_u')
  f.get(x)
  f.i32(32)
  f.get(bits)
  f.op('i32.sub')
  f.op('i32.shl')
  f.op('i32.or')
}

/** The bytes of each half, then the halves. */
function emitSwap(f: FunctionBody, x: Local): void {
  f.tee(x)
  f.i32(8)
  f.op('i32.shl')
  f.i32(0xff00_ff00 | 0)
  f.op('i32.and')
  f.get(x)
  f.i32(8)
  f.op('i32.shr_u')
  f.i32(0x00ff_00ff)
  f.op('i32.and')
  f.op('i32.or')
  f.tee(x)
  f.i32(16)
  f.op('i32.shl')
  f.get(x)
  f.i32(16)
  f.op('i32.shr_u')
  f.op('i32.or')
}

/** The type of the value that `op` makes. */
export function typeOf(op: Op): ValueType {
  switch (op.op) {
    case 'compare':
      return 'i32'
    case 'call':
      assert(op.type !== undefined)
      return op.type
    case 'convert':
      return op.name === 'wrap' ? 'i32' : 'i64'
    case 'const':
    case 'address':
      return 'i32'
    case 'get':
    case 'binary':
    case 'unary':
    case 'select':
    case 'load':
      assert(op.type === 'i32' || op.type === 'i64')
      return op.type
    default:
      assert.fail(`${op.op} makes no value`)
  }
}

const BINARIES: Record<Binary, string> = {
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  and: 'and',
  or: 'or',
  xor: 'xor',
  shl: 'shl',
  shrU: 'shr_u',
  shrS: 'shr_s',
  rotr: 'rotr',
  divS: 'div_s',
  divU: 'div_u',
  remS: 'rem_s',
  remU: 'rem_u',
}

const COMPARES: Record<Compare, string> = {
  eq: 'eq',
  ne: 'ne',
  ltS: 'lt_s',
  ltU: 'lt_u',
  leS: 'le_s',
  leU: 'le_u',
}

const UNARIES = {
  clz: 'clz',
  ctz: 'ctz',
  popcnt: 'popcnt',
  extend8S: 'extend8_s',
  extend16S: 'extend16_s',
} as const

const CONVERTS = { wrap: 'i32.wrap_i64', extendS: 'i64.extend_i32_s', extendU: 'i64.extend_i32_u' } as const
