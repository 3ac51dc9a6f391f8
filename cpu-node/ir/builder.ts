import assert from 'node:assert/strict'
import type {
  Alignment,
  Binary,
  Block,
  Compare,
  Convert,
  Exit,
  Instruction,
  Op,
  Type,
  Unary,
  Value,
  Width,
} from './ir.ts'

export type Integer = 'i32' | 'i64'

/** Bytes of guest state that a value takes. */
export const bytesOf = (type: Type): 4 | 8 => (type === 'i64' || type === 'f64' ? 8 : 4)

export interface LoadOptions {
  type?: Integer
  signed?: boolean
  alignment?: Alignment
  forWrite?: boolean
}

/**
 * What lifters write a block to, op by op: as IR (`BlockBuilder`), or as the interpreter's micro-ops right away
 * (`MicroOpBuilder`). i32 constants are folded where that makes later stages' work smaller.
 */
export abstract class Builder {
  /** Starts the next guest instruction. */
  abstract instruction(pc: number, delaySlot: boolean): void
  /** The block is complete: `length` bytes from `pc` on. */
  abstract finish(pc: number, length: number, exit: Exit): void

  /** The value of an i32 constant, or undefined where `value` is not one. */
  abstract constantOf(value: Value): number | undefined
  abstract const(value: number): Value
  abstract const64(value: bigint): Value
  /** The virtual address of code at `pc`, as the block counts. */
  abstract address(pc: number): Value
  abstract get(offset: number, type?: Type): Value
  abstract put(offset: number, value: Value, type?: Type): void
  abstract compare(name: Compare, a: Value, b: Value, type?: Integer): Value
  abstract unary(name: Unary, a: Value, type?: Integer): Value
  abstract convert(name: Convert, a: Value): Value
  abstract select(condition: Value, a: Value, b: Value, type?: Type): Value
  abstract load(width: Width, address: Value, displacement: number, options?: LoadOptions): Value
  abstract store(width: Width, address: Value, displacement: number, value: Value, alignment?: Alignment): void
  /** Calls a helper. With `type` it gives a value of that type. */
  abstract call(helper: number, args: readonly Value[], type?: Integer): Value
  abstract faultIf(condition: Value, code: number): void
  abstract lookIf(condition: Value, target: number): void
  abstract exitIf(condition: Value, target: number): void
  /** `binary` that has nothing to fold. */
  protected abstract pushBinary(name: Binary, a: Value, b: Value, type: Integer): Value

  binary(name: Binary, a: Value, b: Value, type: Integer = 'i32'): Value {
    if (type === 'i64') return this.pushBinary(name, a, b, type)
    const left = this.constantOf(a)
    const right = this.constantOf(b)
    if (left !== undefined && right !== undefined) {
      const folded = fold(name, left, right)
      if (folded !== undefined) return this.const(folded)
    }
    if (right === 0 && isNeutral(name)) return a
    if (left === 0 && (name === 'add' || name === 'or' || name === 'xor')) return b
    return this.pushBinary(name, a, b, type)
  }
}

/** Builds a block of IR. */
export class BlockBuilder extends Builder {
  readonly #ops: Op[] = []
  readonly #instructions: Instruction[] = []
  readonly #constants = new Map<number, Value>()
  readonly #relative: boolean
  #block: Block | undefined

  /** `relative`: as `Block.relative`. */
  constructor(relative: boolean) {
    super()
    this.#relative = relative
  }

  /** What was built, once it is complete. */
  get block(): Block {
    assert(this.#block !== undefined, 'the block is complete')
    return this.#block
  }

  instruction(pc: number, delaySlot: boolean): void {
    this.#instructions.push({ pc, delaySlot, start: this.#ops.length })
  }

  finish(pc: number, length: number, exit: Exit): void {
    this.#block = { pc, relative: this.#relative, instructions: this.#instructions, ops: this.#ops, exit, length }
  }

  #push(op: Op): Value {
    return this.#ops.push(op) - 1
  }

  constantOf(value: Value): number | undefined {
    const op = this.#ops[value]!
    return op.op === 'const' && op.type === 'i32' ? op.value : undefined
  }

  const(value: number): Value {
    const known = this.#constants.get(value | 0)
    if (known !== undefined) return known
    const made = this.#push({ op: 'const', type: 'i32', value: value | 0 })
    this.#constants.set(value | 0, made)
    return made
  }

  const64(value: bigint): Value {
    return this.#push({ op: 'const', type: 'i64', value: BigInt.asIntN(64, value) })
  }

  address(pc: number): Value {
    return this.#relative ? this.#push({ op: 'address', offset: pc }) : this.const(pc)
  }

  get(offset: number, type: Type = 'i32'): Value {
    return this.#push({ op: 'get', type, offset })
  }

  put(offset: number, value: Value, type: Type = 'i32'): void {
    this.#push({ op: 'put', type, offset, value })
  }

  protected pushBinary(name: Binary, a: Value, b: Value, type: Integer): Value {
    return this.#push({ op: 'binary', name, type, a, b })
  }

  compare(name: Compare, a: Value, b: Value, type: Integer = 'i32'): Value {
    return this.#push({ op: 'compare', name, type, a, b })
  }

  unary(name: Unary, a: Value, type: Integer = 'i32'): Value {
    return this.#push({ op: 'unary', name, type, a })
  }

  convert(name: Convert, a: Value): Value {
    return this.#push({ op: 'convert', name, a })
  }

  select(condition: Value, a: Value, b: Value, type: Type = 'i32'): Value {
    return this.#push({ op: 'select', type, condition, a, b })
  }

  load(width: Width, address: Value, displacement: number, options: LoadOptions = {}): Value {
    const { type = 'i32', signed = false, alignment = 'checked', forWrite = false } = options
    return this.#push({ op: 'load', type, width, signed, address, displacement, alignment, forWrite })
  }

  store(width: Width, address: Value, displacement: number, value: Value, alignment: Alignment = 'checked'): void {
    this.#push({ op: 'store', width, address, displacement, value, alignment })
  }

  call(helper: number, args: readonly Value[], type?: Integer): Value {
    return this.#push({ op: 'call', helper, args, type })
  }

  faultIf(condition: Value, code: number): void {
    this.#push({ op: 'faultIf', condition, code })
  }

  lookIf(condition: Value, target: number): void {
    this.#push({ op: 'lookIf', condition, target })
  }

  exitIf(condition: Value, target: number): void {
    this.#push({ op: 'exitIf', condition, target })
  }
}

function isNeutral(name: Binary): boolean {
  return name === 'add' || name === 'sub' || name === 'or' || name === 'xor' || name.startsWith('sh') || name === 'rotr'
}

function fold(name: Binary, a: number, b: number): number | undefined {
  switch (name) {
    case 'add':
      return (a + b) | 0
    case 'sub':
      return (a - b) | 0
    case 'and':
      return a & b
    case 'or':
      return a | b
    case 'xor':
      return a ^ b
    case 'shl':
      return a << b
    case 'shrU':
      return (a >>> b) | 0
    case 'shrS':
      return a >> b
    default:
      return undefined
  }
}
