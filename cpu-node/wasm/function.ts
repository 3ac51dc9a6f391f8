/**
 * The body of one WebAssembly function, written instruction by instruction. Locals and labels are objects, so that a
 * number is never taken for one, and a label left open or used out of its scope is an assertion.
 */
import assert from 'node:assert/strict'
import { ByteWriter } from './bytes.ts'

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64'

const VALUE_TYPES: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c }
const NO_RESULT = 0x40

export interface Local {
  readonly index: number
  readonly type: ValueType
}

export interface Label {
  /** How many blocks were open around it. */
  readonly depth: number
}

/** Instructions without immediates. */
const OPCODES = {
  unreachable: 0x00,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  'i32.eqz': 0x45,
  'i32.eq': 0x46,
  'i32.ne': 0x47,
  'i32.lt_s': 0x48,
  'i32.lt_u': 0x49,
  'i32.le_s': 0x4c,
  'i32.le_u': 0x4d,
  'i32.ge_u': 0x4f,
  'i32.clz': 0x67,
  'i32.ctz': 0x68,
  'i32.popcnt': 0x69,
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.div_s': 0x6d,
  'i32.div_u': 0x6e,
  'i32.rem_s': 0x6f,
  'i32.rem_u': 0x70,
  'i32.and': 0x71,
  'i32.or': 0x72,
  'i32.xor': 0x73,
  'i32.shl': 0x74,
  'i32.shr_s': 0x75,
  'i32.shr_u': 0x76,
  'i32.rotl': 0x77,
  'i32.rotr': 0x78,
  'i64.add': 0x7c,
  'i64.sub': 0x7d,
  'i64.mul': 0x7e,
  'i64.div_s': 0x7f,
  'i64.div_u': 0x80,
  'i64.rem_s': 0x81,
  'i64.rem_u': 0x82,
  'i64.and': 0x83,
  'i64.or': 0x84,
  'i64.xor': 0x85,
  'i64.shl': 0x86,
  'i64.shr_s': 0x87,
  'i64.shr_u': 0x88,
  'i64.rotr': 0x8a,
  'i64.eq': 0x51,
  'i64.ne': 0x52,
  'i64.lt_s': 0x53,
  'i64.lt_u': 0x54,
  'i64.le_s': 0x57,
  'i64.le_u': 0x58,
  'i64.clz': 0x79,
  'i64.ctz': 0x7a,
  'i64.popcnt': 0x7b,
  'i32.wrap_i64': 0xa7,
  'i64.extend_i32_s': 0xac,
  'i64.extend_i32_u': 0xad,
  'i32.extend8_s': 0xc0,
  'i32.extend16_s': 0xc1,
  'i64.extend8_s': 0xc2,
  'i64.extend16_s': 0xc3,
  'f32.eq': 0x5b,
  'f32.lt': 0x5d,
  'f32.le': 0x5f,
  'f32.ge': 0x60,
  'f64.eq': 0x61,
  'f64.ne': 0x62,
  'f64.lt': 0x63,
  'f64.le': 0x65,
  'f64.ge': 0x66,
  'f32.neg': 0x8c,
  'f32.sqrt': 0x91,
  'f32.add': 0x92,
  'f32.sub': 0x93,
  'f32.mul': 0x94,
  'f32.div': 0x95,
  'f64.neg': 0x9a,
  'f64.ceil': 0x9b,
  'f64.floor': 0x9c,
  'f64.trunc': 0x9d,
  'f64.nearest': 0x9e,
  'f64.sqrt': 0x9f,
  'f64.add': 0xa0,
  'f64.sub': 0xa1,
  'f64.mul': 0xa2,
  'f64.div': 0xa3,
  /** Traps where the number is not in the integer's range. */
  'i32.trunc_f64_s': 0xaa,
  'f32.convert_i32_s': 0xb2,
  'f32.demote_f64': 0xb6,
  'f64.convert_i32_s': 0xb7,
  'f64.promote_f32': 0xbb,
  'i32.reinterpret_f32': 0xbc,
  'i64.reinterpret_f64': 0xbd,
  'f32.reinterpret_i32': 0xbe,
  'f64.reinterpret_i64': 0xbf,
} as const

/** Memory instructions: opcode and the access's alignment, as a power of 2. */
const MEMORY_OPCODES = {
  'i32.load': [0x28, 2],
  'i64.load': [0x29, 2],
  'f32.load': [0x2a, 2],
  'f64.load': [0x2b, 2],
  'i64.load32_u': [0x35, 2],
  'i32.load8_s': [0x2c, 0],
  'i32.load8_u': [0x2d, 0],
  'i32.load16_s': [0x2e, 1],
  'i32.load16_u': [0x2f, 1],
  'i32.store': [0x36, 2],
  'i64.store': [0x37, 2],
  'f32.store': [0x38, 2],
  'f64.store': [0x39, 2],
  'i64.store32': [0x3e, 2],
  'i32.store8': [0x3a, 0],
  'i32.store16': [0x3b, 1],
} as const

export type Plain = keyof typeof OPCODES
export type MemoryInstruction = keyof typeof MEMORY_OPCODES

export class FunctionBody {
  readonly #code = new ByteWriter()
  readonly #parameters: readonly ValueType[]
  readonly #locals: ValueType[] = []
  readonly #open: Label[] = []
  readonly #hints: { at: number; likely: boolean }[] = []

  constructor(parameters: readonly ValueType[]) {
    this.#parameters = parameters
  }

  parameter(index: number): Local {
    const type = this.#parameters[index]
    assert(type !== undefined)
    return { index, type }
  }

  local(type: ValueType): Local {
    this.#locals.push(type)
    return { index: this.#parameters.length + this.#locals.length - 1, type }
  }

  op(name: Plain): void {
    this.#code.byte(OPCODES[name])
  }

  i32(value: number): void {
    this.#code.byte(0x41)
    this.#code.signed(value)
  }

  i64(value: bigint): void {
    this.#code.byte(0x42)
    this.#code.signed64(value)
  }

  f64(value: number): void {
    this.#code.byte(0x44)
    this.#code.float64(value)
  }

  get(local: Local): void {
    this.#code.byte(0x20)
    this.#code.unsigned(local.index)
  }

  set(local: Local): void {
    this.#code.byte(0x21)
    this.#code.unsigned(local.index)
  }

  tee(local: Local): void {
    this.#code.byte(0x22)
    this.#code.unsigned(local.index)
  }

  memory(name: MemoryInstruction, offset: number): void {
    const [opcode, alignment] = MEMORY_OPCODES[name]
    this.#code.byte(opcode)
    this.#code.unsigned(alignment)
    this.#code.unsigned(offset)
  }

  call(index: number): void {
    this.#code.byte(0x10)
    this.#code.unsigned(index)
  }

  /** Calls the entry of table 0 on top of the stack, a function of type `type` of the module. */
  callIndirect(type: number): void {
    this.#code.byte(0x11)
    this.#code.unsigned(type)
    this.#code.unsigned(0)
  }

  block(): Label {
    return this.#begin(0x02, NO_RESULT)
  }

  loop(): Label {
    return this.#begin(0x03, NO_RESULT)
  }

  /** `likely`: whether the condition is expected to hold; compilers lay code out by that. */
  if(result?: ValueType, likely?: boolean): Label {
    this.#hint(likely)
    return this.#begin(0x04, result === undefined ? NO_RESULT : VALUE_TYPES[result])
  }

  else(): void {
    this.#code.byte(0x05)
  }

  #begin(opcode: number, result: number): Label {
    this.#code.byte(opcode)
    this.#code.byte(result)
    const label = { depth: this.#open.length }
    this.#open.push(label)
    return label
  }

  /** Ends `label`'s block, which must be the innermost. */
  end(label: Label): void {
    assert.equal(this.#open.pop(), label, 'blocks end in the order they nest')
    this.#code.byte(0x0b)
  }

  br(label: Label): void {
    this.#code.byte(0x0c)
    this.#code.unsigned(this.#distance(label))
  }

  brIf(label: Label, likely?: boolean): void {
    this.#hint(likely)
    this.#code.byte(0x0d)
    this.#code.unsigned(this.#distance(label))
  }

  #hint(likely: boolean | undefined): void {
    if (likely !== undefined) this.#hints.push({ at: this.#code.length, likely })
  }

  /** Branches to the label that the top of stack counts out; the last is for all else. */
  brTable(labels: readonly Label[]): void {
    this.#code.byte(0x0e)
    this.#code.unsigned(labels.length - 1)
    for (const label of labels) this.#code.unsigned(this.#distance(label))
  }

  #distance(label: Label): number {
    assert.equal(this.#open[label.depth], label, 'the label is in scope')
    return this.#open.length - 1 - label.depth
  }

  /** The function as the code section has it, locals, then code; and its branch hints, by place in that. */
  finish(): { bytes: Uint8Array; hints: readonly { at: number; likely: boolean }[] } {
    assert.equal(this.#open.length, 0, 'every block has ended')
    const body = new ByteWriter()
    const runs: { type: ValueType; count: number }[] = []
    for (const type of this.#locals) {
      const last = runs.at(-1)
      if (last?.type === type) last.count++
      else runs.push({ type, count: 1 })
    }
    body.unsigned(runs.length)
    for (const { type, count } of runs) {
      body.unsigned(count)
      body.byte(VALUE_TYPES[type])
    }
    const hints = this.#hints.map(({ at, likely }) => ({ at: body.length + at, likely }))
    body.append(this.#code.written)
    body.byte(0x0b)
    return { bytes: body.written, hints }
  }
}

export const valueTypeCode = (type: ValueType): number => VALUE_TYPES[type]
