/**
 * IR to micro-ops. Values live in slots: what was read from guest state stays there until that state is written, what
 * is to be put next is made in place, so that a simple guest instruction is one micro-op.
 */
import assert from 'node:assert/strict'
import type { Block, Op, Type, Value } from '../ir/ir.ts'
import { valuesOf } from '../ir/uses.ts'
import { INTERPRETER_STATE_BYTES } from '../memory.ts'
import { hasImmediateForm, opcodeOf } from './micro-ops.ts'

const SCRATCH_SLOTS_END = INTERPRETER_STATE_BYTES / 4 - 2
/** A slot that is always 0. */
const ZERO_SLOT = INTERPRETER_STATE_BYTES / 4 - 2

export interface CompiledBlock {
  /** Micro-ops, beginning with `block`. Links are 0. */
  code: number[]
  /** For each guest instruction, the index in `code` where it starts. */
  starts: number[]
}

const isWide = (type: Type): boolean => type === 'i64' || type === 'f64'

/** Compiles `block`; scratch slots begin at `firstScratchSlot` (even). */
export function compile(block: Block, firstScratchSlot: number): CompiledBlock {
  return new Compiler(block, firstScratchSlot).run()
}

class Compiler {
  readonly #block: Block
  readonly #code: number[] = []
  readonly #starts: number[] = []
  /** The last operation that uses each value; the exit is number `ops.length`. */
  readonly #lastUse: Int32Array
  readonly #uses: Int32Array
  /** Where each value is, as a slot; -1: nowhere yet. */
  readonly #home: Int32Array
  /** Values that are where guest state has them. */
  #aliases: Value[] = []
  #nextScratch: number
  /** The operation being compiled. */
  #index = 0
  /** Operations that are already done: a `put` taken together with what makes its value, a comparison left to the exit. */
  readonly #done: Uint8Array

  constructor(block: Block, firstScratchSlot: number) {
    this.#block = block
    const count = block.ops.length
    this.#lastUse = new Int32Array(count).fill(-1)
    this.#uses = new Int32Array(count)
    this.#home = new Int32Array(count).fill(-1)
    this.#done = new Uint8Array(count)
    this.#nextScratch = firstScratchSlot
  }

  run(): CompiledBlock {
    const { ops, instructions, exit, pc } = this.#block
    this.#countUses()
    this.#emit('block', instructions.length, pc | 0)
    let next = 0
    for (this.#index = 0; this.#index < ops.length; this.#index++) {
      while (instructions[next] !== undefined && instructions[next]!.start <= this.#index) {
        this.#starts.push(this.#code.length)
        next++
      }
      if (this.#done[this.#index] === 0) this.#compile(ops[this.#index]!, next)
    }
    for (; next < instructions.length; next++) this.#starts.push(this.#code.length)
    this.#compileExit(exit)
    return { code: this.#code, starts: this.#starts }
  }

  #countUses(): void {
    const { ops, exit } = this.#block
    for (const [index, op] of ops.entries()) {
      for (const value of valuesOf(op)) this.#use(value, index)
    }
    if (exit.kind === 'branch') this.#use(exit.condition, ops.length)
    if (exit.kind === 'indirect') this.#use(exit.target, ops.length)
    if (exit.kind === 'branch' && this.#uses[exit.condition] === 1) {
      const condition = ops[exit.condition]!
      if (condition.op === 'compare' && condition.type === 'i32') {
        this.#done[exit.condition] = 1
        this.#lastUse[condition.a] = ops.length
        this.#lastUse[condition.b] = ops.length
      }
    }
  }

  #use(value: Value, at: number): void {
    this.#lastUse[value] = at
    this.#uses[value]!++
  }

  #emit(name: string, ...operands: number[]): void {
    this.#code.push(opcodeOf(name), ...operands)
  }

  #scratch(wide: boolean): number {
    if (wide) this.#nextScratch += this.#nextScratch & 1
    const slot = this.#nextScratch
    this.#nextScratch += wide ? 2 : 1
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
      const slot = this.#scratch(false)
      this.#emit('move.imm', slot, op.value)
      this.#home[value] = slot
      return slot
    }
    const slot = this.#scratch(true)
    this.#emit('move.imm', slot, Number(BigInt.asIntN(32, op.value)))
    this.#emit('move.imm', slot + 1, Number(BigInt.asIntN(32, op.value >> 32n)))
    this.#home[value] = slot
    return slot
  }

  /** Values that stand in `[slot, slot + slots)` of guest state and are still wanted after this operation move away. */
  #vacate(slot: number, slots: number, except: Value): void {
    const kept: Value[] = []
    for (const value of this.#aliases) {
      const home = this.#home[value]!
      const get = this.#block.ops[value]!
      assert(get.op === 'get')
      const width = isWide(get.type) ? 2 : 1
      const overlaps = home < slot + slots && slot < home + width
      if (!overlaps || value === except) {
        kept.push(value)
      } else if (this.#lastUse[value]! > this.#index) {
        const moved = this.#scratch(width === 2)
        this.#emit(width === 2 ? 'move.64' : 'move', moved, home)
        this.#home[value] = moved
      }
    }
    this.#aliases = kept
  }

  /** Where the value made by this operation goes: straight to guest state if a `put` of it comes next. */
  #destination(type: Type): number {
    const { ops } = this.#block
    const wide = isWide(type)
    let next = this.#index + 1
    while (ops[next]?.op === 'const') next++
    const put = ops[next]
    if (put?.op === 'put' && put.value === this.#index && this.#uses[this.#index] === 1 && put.type === type) {
      // Operands of this very operation may be in the way: it reads them before it writes.
      this.#vacate(put.offset / 4, wide ? 2 : 1, -1)
      this.#done[next] = 1
      return put.offset / 4
    }
    const slot = this.#scratch(wide)
    this.#home[this.#index] = slot
    return slot
  }

  /** Micro-ops that make one value. Operands are placed first: placing one may emit. */
  #make(name: string, type: Type, ...operands: number[]): void {
    const destination = this.#destination(type)
    this.#emit(name, destination, ...operands)
  }

  #compile(op: Op, instruction: number): void {
    switch (op.op) {
      case 'const':
        return
      case 'get':
        this.#home[this.#index] = op.offset / 4
        this.#aliases.push(this.#index)
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
        this.#make(op.type === 'i64' ? `${op.name}.64` : op.name, op.type, this.#slot(op.a))
        return
      case 'convert':
        this.#make(op.name, op.name === 'wrap' ? 'i32' : 'i64', this.#slot(op.a))
        return
      case 'select': {
        const slots = [op.condition, op.a, op.b].map((value) => this.#slot(value))
        this.#make(isWide(op.type) ? 'select.64' : 'select', op.type, ...slots)
        return
      }
      case 'load':
        this.#compileLoad(op)
        return
      case 'store': {
        const slots = [this.#slot(op.value), this.#slot(op.address)]
        this.#emit(op.alignment === 'down' ? 'store32.down' : `store${op.width}`, ...slots, op.displacement)
        return
      }
      case 'call':
        this.#compileCall(op)
        return
      case 'faultIf':
        this.#emit('faultIf', this.#slot(op.condition), op.code)
        return
      case 'exitIf': {
        const unspent = this.#block.instructions.length - instruction
        this.#emit('exitIf', this.#slot(op.condition), unspent, 0, op.target)
        return
      }
    }
  }

  #compilePut(op: Extract<Op, { op: 'put' }>): void {
    const wide = isWide(op.type)
    const slot = op.offset / 4
    if (this.#home[op.value] === slot) return
    this.#vacate(slot, wide ? 2 : 1, op.value)
    const constant = this.#constantOf(op.value)
    if (constant !== undefined) this.#emit('move.imm', slot, constant)
    else this.#emit(wide ? 'move.64' : 'move', slot, this.#slot(op.value))
  }

  #compileBinary(op: Extract<Op, { op: 'binary' }>): void {
    if (op.type === 'i64') {
      const slots = [this.#slot(op.a), this.#slot(op.b)]
      this.#make(`${op.name}.64`, 'i64', ...slots)
      return
    }
    const constant = this.#constantOf(op.b)
    if (op.name === 'sub' && constant !== undefined) {
      this.#make('add.imm', 'i32', this.#slot(op.a), -constant | 0)
      return
    }
    this.#compileTwo(op.name, op.a, op.b)
  }

  #compileTwo(name: string, a: Value, b: Value): void {
    const constant = this.#constantOf(b)
    if (constant !== undefined && hasImmediateForm(name)) {
      this.#make(`${name}.imm`, 'i32', this.#slot(a), constant)
      return
    }
    const slots = [this.#slot(a), this.#slot(b)]
    this.#make(name, 'i32', ...slots)
  }

  #compileLoad(op: Extract<Op, { op: 'load' }>): void {
    const address = this.#slot(op.address)
    if (op.width === 64) {
      this.#make('load64', 'i64', address, op.displacement)
      return
    }
    assert(op.type === 'i32')
    if (op.alignment === 'down') {
      this.#make('load32.down', 'i32', address, op.displacement, op.forWrite ? 1 : 0)
      return
    }
    const sign = op.width === 32 ? '' : op.signed ? 'S' : 'U'
    this.#make(`load${op.width}${sign}`, 'i32', address, op.displacement)
  }

  /** Helpers may touch all guest state: what is still wanted of it moves away first. */
  #compileCall(op: Extract<Op, { op: 'call' }>): void {
    assert(op.args.length <= 5 && op.type !== 'i64')
    const constants = op.args.map((value) => this.#constantOf(value))
    const immediate = constants.every((constant) => constant !== undefined)
    const args = immediate ? constants : op.args.map((value) => this.#slot(value))
    const padded = [...args, 0, 0, 0, 0, 0].slice(0, 5) as number[]
    this.#vacate(0, this.#nextScratch, -1)
    const destination = op.type === undefined ? 0 : this.#destination(op.type)
    this.#emit(immediate ? 'call.imm' : 'call', destination, op.helper, ...padded)
  }

  #compileExit(exit: Block['exit']): void {
    switch (exit.kind) {
      case 'jump':
        this.#emit('jump', 0, exit.target)
        return
      case 'branch': {
        const condition = this.#block.ops[exit.condition]!
        const fused = condition.op === 'compare' && this.#done[exit.condition] === 1
        const [name, a, b] = fused
          ? [condition.name, this.#slot(condition.a), this.#slot(condition.b)]
          : ['ne', this.#slot(exit.condition), ZERO_SLOT]
        this.#emit(`branch.${name}`, a, b, 0, exit.taken, 0, exit.fallThrough)
        return
      }
      case 'indirect':
        this.#emit('indirect', this.#slot(exit.target))
        return
      case 'look':
        this.#emit('look', exit.target)
        return
      case 'lookAtState':
        this.#emit('lookAtState')
        return
      case 'fault':
        this.#emit('fault', exit.code)
        return
    }
  }
}
