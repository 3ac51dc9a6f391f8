/**
 * IR to micro-ops. Values live in slots: what was read from guest state stays there until that state is written, what
 * is to be put next is made in place, so that a simple guest instruction is one micro-op.
 */
import assert from 'node:assert/strict'
import type { Block, Compare, Op, Type, Value, Width } from '../ir/ir.ts'
import { valuesOf } from '../ir/uses.ts'
import { INTERPRETER_STATE_BYTES } from '../memory.ts'
import { microOps, opcodeOf } from './micro-ops.ts'

const SCRATCH_SLOTS_END = INTERPRETER_STATE_BYTES - 8
/** A slot that is always 0. */
const ZERO_SLOT = INTERPRETER_STATE_BYTES - 8

export interface CompiledBlock {
  /** Micro-ops, beginning with `block`, until the next block is compiled. Links are 0. */
  code: Int32Array
  /** For each guest instruction, the index in `code` where it starts. */
  starts: number[]
}

const bytesOf = (type: Type): 4 | 8 => (type === 'i64' || type === 'f64' ? 8 : 4)

const IMMEDIATE = '.imm'
/** Opcodes of the forms with a constant second operand, by the operation's name. */
const IMMEDIATE_FORMS: ReadonlyMap<string, number> = new Map(
  microOps
    .filter(({ name }) => name.endsWith(IMMEDIATE))
    .map(({ name }) => [name.slice(0, -IMMEDIATE.length), opcodeOf(name)]),
)
const BRANCHES: Readonly<Record<Compare, number>> = {
  eq: opcodeOf('branch.eq'),
  ne: opcodeOf('branch.ne'),
  ltS: opcodeOf('branch.ltS'),
  ltU: opcodeOf('branch.ltU'),
  leS: opcodeOf('branch.leS'),
  leU: opcodeOf('branch.leU'),
}
const LOADS: Readonly<Record<Width, number>> = {
  8: opcodeOf('load8U'),
  16: opcodeOf('load16U'),
  32: opcodeOf('load32'),
  64: opcodeOf('load64'),
}
const SIGNED_LOADS: Readonly<Record<Width, number>> = { ...LOADS, 8: opcodeOf('load8S'), 16: opcodeOf('load16S') }
const STORES: Readonly<Record<Width, number>> = {
  8: opcodeOf('store8'),
  16: opcodeOf('store16'),
  32: opcodeOf('store32'),
  64: opcodeOf('store64'),
}
const BLOCK = opcodeOf('block')
const MOVE = opcodeOf('move')
const MOVE_64 = opcodeOf('move.64')
const MOVE_IMMEDIATE = opcodeOf('move.imm')
const MOVE_ADDRESS = opcodeOf('move.address')
const ADD_IMMEDIATE = opcodeOf('add.imm')
const SELECT = opcodeOf('select')
const SELECT_64 = opcodeOf('select.64')
const LOAD_DOWN = opcodeOf('load32.down')
const LOAD_DOWN_FOR_WRITE = opcodeOf('load32.downForWrite')
const STORE_DOWN = opcodeOf('store32.down')
const CALL = opcodeOf('call')
const CALL_IMMEDIATE = opcodeOf('call.imm')
const FAULT_IF = opcodeOf('faultIf')
const EXIT_IF = opcodeOf('exitIf')
const LOOK_IF = opcodeOf('lookIf')
const JUMP = opcodeOf('jump')
const INDIRECT = opcodeOf('indirect')
const LOOK = opcodeOf('look')
const LOOK_AT_STATE = opcodeOf('lookAtState')
const FAULT = opcodeOf('fault')
/** Arguments of `call`. */
const MAX_ARGUMENTS = 5

/**
 * Words of micro-ops that an operation comes to, at most: a call. What else it may need made or moved first is a constant
 * or a `get`, which is done once and needs less.
 */
const MAX_WORDS_OF_OP = 3 + MAX_ARGUMENTS
/** The `block` before the operations, and the exit after them. */
const MAX_WORDS_AROUND = 3 + 7
/** Operations that there is room for from the start. */
const USUAL_OPS = 512

/** Compiles blocks, one after the other, in arrays that it keeps. */
class Compiler {
  #block!: Block
  #code!: Int32Array
  #length = 0
  /** The last operation that uses each value; the exit is number `ops.length`. */
  #lastUse!: Int32Array
  #uses!: Int32Array
  /** Where each value is, as a slot; -1: nowhere yet. */
  #home!: Int32Array
  /** Values that are where guest state has them: the first `#aliasCount`. */
  #aliases!: Int32Array
  #aliasCount = 0
  #nextScratch = 0
  /** The operation being compiled. */
  #index = 0
  /** Operations that are already done: a `put` taken together with what makes its value, a comparison left to the exit. */
  #done!: Uint8Array

  constructor() {
    this.#makeRoomFor(USUAL_OPS)
  }

  compile(block: Block, firstScratchSlot: number): CompiledBlock {
    const { ops, instructions, exit, pc } = block
    this.#block = block
    this.#length = 0
    this.#aliasCount = 0
    this.#nextScratch = firstScratchSlot
    const starts: number[] = []
    if (ops.length > this.#done.length) this.#makeRoomFor(ops.length)
    this.#countUses()
    this.#emit2(BLOCK, instructions.length, pc | 0)
    for (this.#index = 0; this.#index < ops.length; this.#index++) {
      while (starts.length < instructions.length && instructions[starts.length]!.start <= this.#index) {
        starts.push(this.#length)
      }
      if (this.#done[this.#index] === 0) this.#compile(ops[this.#index]!, starts.length)
    }
    while (starts.length < instructions.length) starts.push(this.#length)
    this.#compileExit(exit)
    assert(this.#length <= this.#code.length, 'operations come to no more words than they may')
    return { code: this.#code.subarray(0, this.#length), starts }
  }

  #makeRoomFor(ops: number): void {
    this.#code = new Int32Array(ops * MAX_WORDS_OF_OP + MAX_WORDS_AROUND)
    this.#lastUse = new Int32Array(ops)
    this.#uses = new Int32Array(ops)
    this.#home = new Int32Array(ops)
    this.#aliases = new Int32Array(ops)
    this.#done = new Uint8Array(ops)
  }

  #countUses(): void {
    const { ops, exit } = this.#block
    for (this.#index = 0; this.#index < ops.length; this.#index++) {
      this.#lastUse[this.#index] = -1
      this.#uses[this.#index] = 0
      this.#home[this.#index] = -1
      this.#done[this.#index] = 0
      for (const value of valuesOf(ops[this.#index]!)) this.#use(value)
    }
    if (exit.kind === 'indirect') this.#use(exit.target)
    if (exit.kind !== 'branch') return
    this.#use(exit.condition)
    const condition = ops[exit.condition]!
    if (this.#uses[exit.condition] === 1 && condition.op === 'compare' && condition.type === 'i32') {
      this.#done[exit.condition] = 1
      this.#lastUse[condition.a] = ops.length
      this.#lastUse[condition.b] = ops.length
    }
  }

  #use(value: Value): void {
    this.#lastUse[value] = this.#index
    this.#uses[value]!++
  }

  #emit1(opcode: number, a: number): void {
    this.#code[this.#length++] = opcode
    this.#code[this.#length++] = a
  }

  #emit2(opcode: number, a: number, b: number): void {
    this.#emit1(opcode, a)
    this.#code[this.#length++] = b
  }

  #emit3(opcode: number, a: number, b: number, c: number): void {
    this.#emit2(opcode, a, b)
    this.#code[this.#length++] = c
  }

  #emit4(opcode: number, a: number, b: number, c: number, d: number): void {
    this.#emit3(opcode, a, b, c)
    this.#code[this.#length++] = d
  }

  #scratch(bytes: 4 | 8): number {
    this.#nextScratch += this.#nextScratch & (bytes - 1)
    const slot = this.#nextScratch
    this.#nextScratch += bytes
    assert(this.#nextScratch <= SCRATCH_SLOTS_END, 'a block fits the scratch slots')
    return slot
  }

  #constantOf(value: Value): number | undefined {
    const op = this.#block.ops[value]!
    return op.op === 'const' && op.type === 'i32' ? op.value : undefined
  }

  /** The slot of `value`, which is made there now if it is a constant. */
  #slot(value: Value): number {
    const home = this.#home[value]!
    if (home >= 0) return home
    const op = this.#block.ops[value]!
    assert(op.op === 'const', 'only constants have no slot before they are used')
    if (op.type === 'i32') {
      if (op.value === 0) return ZERO_SLOT
      const slot = this.#scratch(4)
      this.#emit2(MOVE_IMMEDIATE, slot, op.value)
      this.#home[value] = slot
      return slot
    }
    const slot = this.#scratch(8)
    this.#emit2(MOVE_IMMEDIATE, slot, Number(BigInt.asIntN(32, op.value)))
    this.#emit2(MOVE_IMMEDIATE, slot + 4, Number(BigInt.asIntN(32, op.value >> 32n)))
    this.#home[value] = slot
    return slot
  }

  /** Values that stand in `[slot, slot + bytes)` of guest state and are still wanted after this operation move away. */
  #vacate(slot: number, bytes: number): void {
    let kept = 0
    for (let index = 0; index < this.#aliasCount; index++) {
      const value = this.#aliases[index]!
      if (this.#lastUse[value]! <= this.#index) continue
      const home = this.#home[value]!
      const get = this.#block.ops[value]!
      assert(get.op === 'get')
      const size = bytesOf(get.type)
      const overlaps = home < slot + bytes && slot < home + size
      if (overlaps) {
        const moved = this.#scratch(size)
        this.#emit2(size === 8 ? MOVE_64 : MOVE, moved, home)
        this.#home[value] = moved
      } else {
        this.#aliases[kept++] = value
      }
    }
    this.#aliasCount = kept
  }

  /** Where the value made by this operation goes: straight to guest state if a `put` of it comes next. */
  #destination(type: Type): number {
    const { ops } = this.#block
    let next = this.#index + 1
    while (next < ops.length && ops[next]!.op === 'const') next++
    const put = ops[next]
    if (put?.op === 'put' && put.value === this.#index && this.#uses[this.#index] === 1 && put.type === type) {
      // Operands of this very operation may be in the way: it reads them before it writes.
      this.#vacate(put.offset, bytesOf(type))
      this.#done[next] = 1
      return put.offset
    }
    const slot = this.#scratch(bytesOf(type))
    this.#home[this.#index] = slot
    return slot
  }

  #compile(op: Op, instruction: number): void {
    switch (op.op) {
      case 'const':
        return
      case 'get':
        this.#home[this.#index] = op.offset
        this.#aliases[this.#aliasCount++] = this.#index
        return
      case 'address':
        this.#emit2(MOVE_ADDRESS, this.#destination('i32'), op.offset)
        return
      case 'put':
        this.#compilePut(op)
        return
      case 'binary':
        this.#compileBinary(op)
        return
      case 'compare':
        assert(op.type === 'i32', '64-bit comparisons come with the first ISA that has them')
        this.#compileTwo(op.name, op.a, op.b)
        return
      case 'unary':
        this.#compileOne(op.type === 'i64' ? `${op.name}.64` : op.name, op.type, op.a)
        return
      case 'convert':
        this.#compileOne(op.name, op.name === 'wrap' ? 'i32' : 'i64', op.a)
        return
      case 'select': {
        // Operands are placed before the destination, here and below: placing one may emit.
        const condition = this.#slot(op.condition)
        const a = this.#slot(op.a)
        const b = this.#slot(op.b)
        this.#emit4(bytesOf(op.type) === 8 ? SELECT_64 : SELECT, this.#destination(op.type), condition, a, b)
        return
      }
      case 'load':
        this.#compileLoad(op)
        return
      case 'store': {
        const opcode = op.alignment === 'down' ? STORE_DOWN : STORES[op.width]
        const value = this.#slot(op.value)
        this.#emit3(opcode, value, this.#slot(op.address), op.displacement)
        return
      }
      case 'call':
        this.#compileCall(op)
        return
      case 'faultIf':
        this.#emit2(FAULT_IF, this.#slot(op.condition), op.code)
        return
      case 'lookIf': {
        const unspent = this.#block.instructions.length - instruction
        this.#emit3(LOOK_IF, this.#slot(op.condition), unspent, op.target)
        return
      }
      case 'exitIf': {
        const unspent = this.#block.instructions.length - instruction
        this.#emit4(EXIT_IF, this.#slot(op.condition), unspent, 0, op.target)
        return
      }
    }
  }

  #compilePut(op: Extract<Op, { op: 'put' }>): void {
    const bytes = bytesOf(op.type)
    const slot = op.offset
    if (this.#home[op.value] === slot) return
    this.#vacate(slot, bytes)
    const constant = this.#constantOf(op.value)
    if (constant !== undefined) this.#emit2(MOVE_IMMEDIATE, slot, constant)
    else this.#emit2(bytes === 8 ? MOVE_64 : MOVE, slot, this.#slot(op.value))
  }

  #compileOne(name: string, type: Type, a: Value): void {
    const from = this.#slot(a)
    this.#emit2(opcodeOf(name), this.#destination(type), from)
  }

  #compileBinary(op: Extract<Op, { op: 'binary' }>): void {
    if (op.type === 'i64') {
      const a = this.#slot(op.a)
      const b = this.#slot(op.b)
      this.#emit3(opcodeOf(`${op.name}.64`), this.#destination('i64'), a, b)
      return
    }
    const constant = this.#constantOf(op.b)
    if (op.name === 'sub' && constant !== undefined) {
      const a = this.#slot(op.a)
      this.#emit3(ADD_IMMEDIATE, this.#destination('i32'), a, -constant | 0)
      return
    }
    this.#compileTwo(op.name, op.a, op.b)
  }

  #compileTwo(name: string, a: Value, b: Value): void {
    const constant = this.#constantOf(b)
    const immediate = constant === undefined ? undefined : IMMEDIATE_FORMS.get(name)
    const left = this.#slot(a)
    if (constant !== undefined && immediate !== undefined) {
      this.#emit3(immediate, this.#destination('i32'), left, constant)
      return
    }
    const right = this.#slot(b)
    this.#emit3(opcodeOf(name), this.#destination('i32'), left, right)
  }

  #compileLoad(op: Extract<Op, { op: 'load' }>): void {
    const address = this.#slot(op.address)
    const destination = this.#destination(op.type)
    if (op.alignment === 'down') {
      this.#emit3(op.forWrite ? LOAD_DOWN_FOR_WRITE : LOAD_DOWN, destination, address, op.displacement)
      return
    }
    assert(op.type === (op.width === 64 ? 'i64' : 'i32'))
    this.#emit3((op.signed ? SIGNED_LOADS : LOADS)[op.width], destination, address, op.displacement)
  }

  /** Helpers may touch all guest state: what is still wanted of it moves away first. */
  #compileCall(op: Extract<Op, { op: 'call' }>): void {
    assert(op.args.length <= MAX_ARGUMENTS && op.type !== 'i64')
    const isImmediate = op.args.every((value) => this.#constantOf(value) !== undefined)
    const args = op.args.map((value) => (isImmediate ? this.#constantOf(value)! : this.#slot(value)))
    this.#vacate(0, this.#nextScratch)
    const destination = op.type === undefined ? 0 : this.#destination(op.type)
    this.#emit2(isImmediate ? CALL_IMMEDIATE : CALL, destination, op.helper)
    for (let index = 0; index < MAX_ARGUMENTS; index++) this.#code[this.#length++] = args[index] ?? 0
  }

  #compileExit(exit: Block['exit']): void {
    switch (exit.kind) {
      case 'jump':
        this.#emit2(JUMP, 0, exit.target)
        return
      case 'branch':
        this.#compileBranch(exit)
        return
      case 'indirect':
        this.#emit1(INDIRECT, this.#slot(exit.target))
        return
      case 'look':
        this.#emit1(LOOK, exit.target)
        return
      case 'lookAtState':
        this.#code[this.#length++] = LOOK_AT_STATE
        return
      case 'fault':
        this.#emit1(FAULT, exit.code)
        return
    }
  }

  #compileBranch(exit: Extract<Block['exit'], { kind: 'branch' }>): void {
    const condition = this.#block.ops[exit.condition]!
    let opcode = BRANCHES.ne
    let left: number
    let right = ZERO_SLOT
    if (condition.op === 'compare' && this.#done[exit.condition] === 1) {
      opcode = BRANCHES[condition.name]
      left = this.#slot(condition.a)
      right = this.#slot(condition.b)
    } else {
      left = this.#slot(exit.condition)
    }
    this.#emit4(opcode, left, right, 0, exit.taken)
    this.#code[this.#length++] = 0
    this.#code[this.#length++] = exit.fallThrough
  }
}

/** What it keeps from block to block is room: no block can tell what was compiled before it. */
const compiler = new Compiler()

/** Compiles `block`; scratch slots begin at `firstScratchSlot`, a multiple of 8. */
export function compile(block: Block, firstScratchSlot: number): CompiledBlock {
  return compiler.compile(block, firstScratchSlot)
}
