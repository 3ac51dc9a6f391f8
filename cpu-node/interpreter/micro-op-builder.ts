/**
 * From lifters to micro-ops, without IR in between: most code is run a few times only, and making the objects that IR is made
 * of would take longer than running it.
 *
 * Operations are noted as words of an array, and compiled when the block is complete. Values live in slots: what was read
 * from guest state stays there until that state is written, what is to be put next is made in place, so that a simple
 * guest instruction is one micro-op.
 */
import assert from 'node:assert/strict'
import { Builder, bytesOf, type Integer, type LoadOptions } from '../ir/builder.ts'
import type { Alignment, Binary, Compare, Convert, Exit, Type, Unary, Value, Width } from '../ir/ir.ts'
import { INTERPRETER_STATE_BYTES } from '../memory.ts'
import { joinedOpcode, microOps, NOWHERE, opcodeOf } from './micro-ops.ts'

const SCRATCH_SLOTS_END = INTERPRETER_STATE_BYTES - 8
/** A slot that is always 0. */
const ZERO_SLOT = INTERPRETER_STATE_BYTES - 8

const IMMEDIATE_SUFFIX = '.imm'
/** Opcodes of the forms with a constant second operand, by the operation's name. */
const IMMEDIATE_FORMS: ReadonlyMap<string, number> = new Map(
  microOps
    .filter(({ name }) => name.endsWith(IMMEDIATE_SUFFIX))
    .map(({ name }) => [name.slice(0, -IMMEDIATE_SUFFIX.length), opcodeOf(name)]),
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

// Words of an operation. A value is where its operation stands.
const KIND = 0
const OPCODE = 1
/** Operands: values, or what the kind says. A call's arguments are A to E. */
const A = 2
const B = 3
const C = 4
const E = 6
/** Opcode of the form in which B is the constant C, or 0; and that of the branch that does this comparison, or 0. */
const IMMEDIATE = 7
const BRANCH = 8
const HELPER = 7
const ARGUMENTS = 8
/** Of the value made or put; 0: there is none. */
const BYTES = 9
const USES = 10
/** The last operation that uses the value. */
const LAST_USE = 11
/** Where the value is, as a slot; -1: nowhere yet. */
const HOME = 12
/** It needs no micro-op: a `put` taken together with what makes its value, a comparison left to the exit. */
const DONE = 13
/** How many instructions had begun. */
const INSTRUCTION = 14
const OP_WORDS = 16

const Kind = {
  /** A: the constant. */
  constant: 0,
  /** A, B: its low and high word. */
  constant64: 1,
  /** A: the offset. */
  address: 2,
  get: 3,
  /** A: the offset. B: the value. */
  put: 4,
  unary: 5,
  binary: 6,
  /** Of A by B or C. */
  select: 7,
  /** From A + B. */
  load: 8,
  /** Of A, to B + C. */
  store: 9,
  call: 10,
  /** A: the condition. B: the code. */
  faultIf: 11,
  /** A: the condition. B: the target. */
  lookIf: 12,
  exitIf: 13,
} as const

/**
 * Words of micro-ops that an operation comes to, at most: a call. What else it may need made or moved first is a constant
 * or a `get`, which is done once and needs less.
 */
const MAX_WORDS_OF_OP = 3 + MAX_ARGUMENTS
/** The `block` before the operations, and the exit after them. */
const MAX_WORDS_AROUND = 3 + 7
/** What there is room for from the start. */
const USUAL_OPS = 512
const USUAL_INSTRUCTIONS = 128
/** Of the number of constants that are found again. */
const KNOWN_CONSTANTS_BITS = 6

/** Builds blocks one after the other, in arrays that it keeps: what it has is of the block at hand. */
export class MicroOpBuilder extends Builder {
  pc = 0
  /** Bytes. */
  length = 0
  instructions = 0
  lastInDelaySlot = false
  /** Of each instruction: its address, and where in `code` it starts. */
  pcs = new Int32Array(USUAL_INSTRUCTIONS)
  starts = new Int32Array(USUAL_INSTRUCTIONS)
  /** Micro-ops, beginning with `block`. Links are 0. */
  code = new Int32Array(USUAL_OPS * MAX_WORDS_OF_OP + MAX_WORDS_AROUND)
  codeWords = 0
  readonly #firstScratchSlot: number
  #relative = false
  #ops = new Int32Array(USUAL_OPS * OP_WORDS)
  /** Where the next operation goes; the exit counts as the one after the last. */
  #end = 0
  #firstOps = new Int32Array(USUAL_INSTRUCTIONS)
  /** Where a constant may be, by its hash. */
  readonly #constants = new Int32Array(2 ** KNOWN_CONSTANTS_BITS)
  /** Values that are where guest state has them: the first `#aliasCount`. */
  #aliases = new Int32Array(USUAL_OPS)
  #aliasCount = 0
  #nextScratch = 0
  /** The operation being compiled. */
  #at = 0
  /** The micro-op that the next may be joined to: where it stands; -1: none. */
  #joinable = -1

  /** Scratch slots begin at `firstScratchSlot`, a multiple of 8. */
  constructor(firstScratchSlot: number) {
    super()
    this.#firstScratchSlot = firstScratchSlot
  }

  /** Begins a block. `relative`: as `Block.relative`. */
  begin(relative: boolean): void {
    this.#relative = relative
    this.#end = 0
    this.instructions = 0
  }

  instruction(pc: number, delaySlot: boolean): void {
    const number = this.instructions++
    if (number === this.pcs.length) {
      this.pcs = grown(this.pcs)
      this.starts = grown(this.starts)
      this.#firstOps = grown(this.#firstOps)
    }
    this.pcs[number] = pc
    this.#firstOps[number] = this.#end
    this.lastInDelaySlot = delaySlot
  }

  // --- Operations ---------------------------------------------------------------------------------------------------

  #push(kind: number, bytes: number, opcode: number, a: number, b: number, c: number): Value {
    const at = this.#end
    this.#end += OP_WORDS
    if (this.#end > this.#ops.length) this.#ops = grown(this.#ops)
    const ops = this.#ops
    ops[at + KIND] = kind
    ops[at + OPCODE] = opcode
    ops[at + A] = a
    ops[at + B] = b
    ops[at + C] = c
    ops[at + BYTES] = bytes
    ops[at + USES] = 0
    ops[at + LAST_USE] = -1
    ops[at + HOME] = -1
    ops[at + DONE] = 0
    return at
  }

  /** The operation at `user` uses `value`. */
  #use(value: Value, user: number): void {
    this.#ops[value + USES]!++
    this.#ops[value + LAST_USE] = user
  }

  constantOf(value: Value): number | undefined {
    return this.#ops[value + KIND] === Kind.constant ? this.#ops[value + A] : undefined
  }

  const(value: number): Value {
    const constant = value | 0
    const slot = Math.imul(constant, 0x9e37_79b1) >>> (32 - KNOWN_CONSTANTS_BITS)
    const known = this.#constants[slot]!
    // What it says of blocks before is told from what is so: if there is that constant, it is in this block.
    const isKnown = known < this.#end && this.#ops[known + KIND] === Kind.constant && this.#ops[known + A] === constant
    if (isKnown) return known
    const made = this.#push(Kind.constant, 4, 0, constant, 0, 0)
    this.#constants[slot] = made
    return made
  }

  const64(value: bigint): Value {
    const low = Number(BigInt.asIntN(32, value))
    return this.#push(Kind.constant64, 8, 0, low, Number(BigInt.asIntN(32, value >> 32n)), 0)
  }

  address(pc: number): Value {
    return this.#relative ? this.#push(Kind.address, 4, 0, pc, 0, 0) : this.const(pc)
  }

  get(offset: number, type: Type = 'i32'): Value {
    return this.#push(Kind.get, bytesOf(type), 0, offset, 0, 0)
  }

  put(offset: number, value: Value, type: Type = 'i32'): void {
    this.#use(value, this.#push(Kind.put, bytesOf(type), 0, offset, value, 0))
  }

  protected pushBinary(name: Binary, a: Value, b: Value, type: Integer): Value {
    if (type === 'i64') return this.#two(8, opcodeOf(`${name}.64`), a, b)
    const constant = name === 'sub' ? this.constantOf(b) : undefined
    if (constant !== undefined) return this.#twoWithImmediate('add', a, this.const(-constant))
    return this.#twoWithImmediate(name, a, b)
  }

  compare(name: Compare, a: Value, b: Value, type: Integer = 'i32'): Value {
    assert(type === 'i32', '64-bit comparisons come with the first ISA that has them')
    const made = this.#twoWithImmediate(name, a, b)
    this.#ops[made + BRANCH] = BRANCHES[name]
    return made
  }

  #two(bytes: number, opcode: number, a: Value, b: Value): Value {
    const made = this.#push(Kind.binary, bytes, opcode, a, b, 0)
    this.#ops[made + IMMEDIATE] = 0
    this.#ops[made + BRANCH] = 0
    this.#use(a, made)
    this.#use(b, made)
    return made
  }

  #twoWithImmediate(name: Binary | Compare, a: Value, b: Value): Value {
    const made = this.#two(4, opcodeOf(name), a, b)
    const constant = this.constantOf(b)
    if (constant !== undefined) {
      this.#ops[made + IMMEDIATE] = IMMEDIATE_FORMS.get(name) ?? 0
      this.#ops[made + C] = constant
    }
    return made
  }

  unary(name: Unary, a: Value, type: Integer = 'i32'): Value {
    return this.#one(type, opcodeOf(type === 'i64' ? `${name}.64` : name), a)
  }

  convert(name: Convert, a: Value): Value {
    return this.#one(name === 'wrap' ? 'i32' : 'i64', opcodeOf(name), a)
  }

  #one(type: Integer, opcode: number, a: Value): Value {
    const made = this.#push(Kind.unary, bytesOf(type), opcode, a, 0, 0)
    this.#use(a, made)
    return made
  }

  select(condition: Value, a: Value, b: Value, type: Type = 'i32'): Value {
    const bytes = bytesOf(type)
    const made = this.#push(Kind.select, bytes, bytes === 8 ? SELECT_64 : SELECT, condition, a, b)
    this.#use(condition, made)
    this.#use(a, made)
    this.#use(b, made)
    return made
  }

  load(width: Width, address: Value, displacement: number, options: LoadOptions = {}): Value {
    const { type = 'i32', signed = false, alignment = 'checked', forWrite = false } = options
    assert(type === (width === 64 ? 'i64' : 'i32'))
    let opcode = (signed ? SIGNED_LOADS : LOADS)[width]
    if (alignment === 'down') opcode = forWrite ? LOAD_DOWN_FOR_WRITE : LOAD_DOWN
    const made = this.#push(Kind.load, bytesOf(type), opcode, address, displacement, 0)
    this.#use(address, made)
    return made
  }

  store(width: Width, address: Value, displacement: number, value: Value, alignment: Alignment = 'checked'): void {
    const opcode = alignment === 'down' ? STORE_DOWN : STORES[width]
    const made = this.#push(Kind.store, 0, opcode, value, address, displacement)
    this.#use(value, made)
    this.#use(address, made)
  }

  call(helper: number, args: readonly Value[], type?: Integer): Value {
    assert(args.length <= MAX_ARGUMENTS && type !== 'i64')
    const made = this.#push(Kind.call, type === undefined ? 0 : 4, CALL, 0, 0, 0)
    this.#ops[made + HELPER] = helper
    this.#ops[made + ARGUMENTS] = args.length
    for (let index = 0; index < args.length; index++) {
      this.#ops[made + A + index] = args[index]!
      this.#use(args[index]!, made)
    }
    return made
  }

  faultIf(condition: Value, code: number): void {
    this.#use(condition, this.#push(Kind.faultIf, 0, FAULT_IF, condition, code, 0))
  }

  lookIf(condition: Value, target: number): void {
    this.#leaveIf(this.#push(Kind.lookIf, 0, LOOK_IF, condition, target, 0), condition)
  }

  exitIf(condition: Value, target: number): void {
    this.#leaveIf(this.#push(Kind.exitIf, 0, EXIT_IF, condition, target, 0), condition)
  }

  #leaveIf(made: number, condition: Value): void {
    this.#ops[made + INSTRUCTION] = this.instructions
    this.#use(condition, made)
  }

  // --- Micro-ops ----------------------------------------------------------------------------------------------------

  finish(pc: number, length: number, exit: Exit): void {
    this.pc = pc
    this.length = length
    this.codeWords = 0
    this.#joinable = -1
    this.#aliasCount = 0
    this.#nextScratch = this.#firstScratchSlot
    const most = (this.#end / OP_WORDS) * MAX_WORDS_OF_OP + MAX_WORDS_AROUND
    if (most > this.code.length) this.code = new Int32Array(most)
    if (this.#end / OP_WORDS > this.#aliases.length) this.#aliases = new Int32Array(this.#end / OP_WORDS)
    this.#useInExit(exit)
    this.#emit2(BLOCK, this.instructions, pc)
    for (let number = 0; number < this.instructions; number++) {
      this.starts[number] = this.codeWords
      const end = number + 1 < this.instructions ? this.#firstOps[number + 1]! : this.#end
      for (this.#at = this.#firstOps[number]!; this.#at < end; this.#at += OP_WORDS) {
        if (this.#ops[this.#at + DONE] === 0) this.#compile(this.#at)
      }
    }
    this.#compileExit(exit)
    assert(this.codeWords <= this.code.length, 'operations come to no more words than they may')
  }

  #useInExit(exit: Exit): void {
    if (exit.kind === 'indirect') this.#use(exit.target, this.#end)
    if (exit.kind !== 'branch') return
    const ops = this.#ops
    const { condition } = exit
    this.#use(condition, this.#end)
    const isComparison = ops[condition + KIND] === Kind.binary && ops[condition + BRANCH] !== 0
    if (!isComparison || ops[condition + USES] !== 1) return
    ops[condition + DONE] = 1
    ops[ops[condition + A]! + LAST_USE] = this.#end
    ops[ops[condition + B]! + LAST_USE] = this.#end
  }

  #emit0(opcode: number): void {
    const { code } = this
    const joined = this.#joinable < 0 ? 0 : joinedOpcode(code[this.#joinable]!, opcode)
    if (joined !== 0) code[this.#joinable] = joined
    this.#joinable = joined === 0 ? this.codeWords : -1
    code[this.codeWords++] = opcode
  }

  #emit1(opcode: number, a: number): void {
    this.#emit0(opcode)
    this.code[this.codeWords++] = a
  }

  #emit2(opcode: number, a: number, b: number): void {
    this.#emit1(opcode, a)
    this.code[this.codeWords++] = b
  }

  #emit3(opcode: number, a: number, b: number, c: number): void {
    this.#emit2(opcode, a, b)
    this.code[this.codeWords++] = c
  }

  #emit4(opcode: number, a: number, b: number, c: number, d: number): void {
    this.#emit3(opcode, a, b, c)
    this.code[this.codeWords++] = d
  }

  #scratch(bytes: number): number {
    this.#nextScratch += this.#nextScratch & (bytes - 1)
    const slot = this.#nextScratch
    this.#nextScratch += bytes
    assert(this.#nextScratch <= SCRATCH_SLOTS_END, 'a block fits the scratch slots')
    return slot
  }

  /** The slot of `value`, which is made there now if it is a constant. */
  #slot(value: Value): number {
    const ops = this.#ops
    const home = ops[value + HOME]!
    if (home >= 0) return home
    const kind = ops[value + KIND]!
    assert(kind === Kind.constant || kind === Kind.constant64, 'only constants have no slot before they are used')
    const low = ops[value + A]!
    if (kind === Kind.constant && low === 0) return ZERO_SLOT
    const slot = this.#scratch(ops[value + BYTES]!)
    this.#emit2(MOVE_IMMEDIATE, slot, low)
    if (kind === Kind.constant64) this.#emit2(MOVE_IMMEDIATE, slot + 4, ops[value + B]!)
    ops[value + HOME] = slot
    return slot
  }

  /** Values that stand in `[slot, slot + bytes)` of guest state and are still wanted after this operation move away. */
  #vacate(slot: number, bytes: number): void {
    const ops = this.#ops
    let kept = 0
    for (let index = 0; index < this.#aliasCount; index++) {
      const value = this.#aliases[index]!
      if (ops[value + LAST_USE]! <= this.#at) continue
      const home = ops[value + HOME]!
      const size = ops[value + BYTES]!
      if (home < slot + bytes && slot < home + size) {
        const moved = this.#scratch(size)
        this.#emit2(size === 8 ? MOVE_64 : MOVE, moved, home)
        ops[value + HOME] = moved
      } else {
        this.#aliases[kept++] = value
      }
    }
    this.#aliasCount = kept
  }

  /** Where the value made by this operation goes: straight to guest state if a `put` of it comes next. */
  #destination(): number {
    const ops = this.#ops
    const at = this.#at
    const bytes = ops[at + BYTES]!
    let next = at + OP_WORDS
    while (next < this.#end && ops[next + KIND]! <= Kind.constant64) next += OP_WORDS
    const isPutNext = next < this.#end && ops[next + KIND] === Kind.put && ops[next + B] === at
    if (isPutNext && ops[at + USES] === 1 && ops[next + BYTES] === bytes) {
      const slot = ops[next + A]!
      // Operands of this very operation may be in the way: it reads them before it writes.
      this.#vacate(slot, bytes)
      ops[next + DONE] = 1
      return slot
    }
    const slot = this.#scratch(bytes)
    ops[at + HOME] = slot
    return slot
  }

  // Operands are placed before the destination: placing one may emit.
  #compile(at: number): void {
    const ops = this.#ops
    const opcode = ops[at + OPCODE]!
    switch (ops[at + KIND]) {
      case Kind.get:
        ops[at + HOME] = ops[at + A]!
        this.#aliases[this.#aliasCount++] = at
        return
      case Kind.address:
        this.#emit2(MOVE_ADDRESS, this.#destination(), ops[at + A]!)
        return
      case Kind.put:
        this.#compilePut(ops[at + A]!, ops[at + BYTES]!, ops[at + B]!)
        return
      case Kind.unary: {
        const a = this.#slot(ops[at + A]!)
        this.#emit2(opcode, this.#destination(), a)
        return
      }
      case Kind.binary: {
        const a = this.#slot(ops[at + A]!)
        const immediate = ops[at + IMMEDIATE]!
        const b = immediate === 0 ? this.#slot(ops[at + B]!) : ops[at + C]!
        this.#emit3(immediate === 0 ? opcode : immediate, this.#destination(), a, b)
        return
      }
      case Kind.select: {
        const condition = this.#slot(ops[at + A]!)
        const a = this.#slot(ops[at + B]!)
        const b = this.#slot(ops[at + C]!)
        this.#emit4(opcode, this.#destination(), condition, a, b)
        return
      }
      case Kind.load: {
        const address = this.#slot(ops[at + A]!)
        this.#emit3(opcode, this.#destination(), address, ops[at + B]!)
        return
      }
      case Kind.store: {
        const value = this.#slot(ops[at + A]!)
        this.#emit3(opcode, value, this.#slot(ops[at + B]!), ops[at + C]!)
        return
      }
      case Kind.call:
        this.#compileCall(at)
        return
      case Kind.faultIf:
        this.#emit2(opcode, this.#slot(ops[at + A]!), ops[at + B]!)
        return
      case Kind.lookIf:
        this.#emit3(opcode, this.#slot(ops[at + A]!), this.instructions - ops[at + INSTRUCTION]!, ops[at + B]!)
        return
      case Kind.exitIf:
        this.#emit4(opcode, this.#slot(ops[at + A]!), this.instructions - ops[at + INSTRUCTION]!, 0, ops[at + B]!)
        return
    }
  }

  #compilePut(slot: number, bytes: number, value: Value): void {
    if (this.#ops[value + HOME] === slot) return
    this.#vacate(slot, bytes)
    const constant = this.constantOf(value)
    if (constant !== undefined) this.#emit2(MOVE_IMMEDIATE, slot, constant)
    else this.#emit2(bytes === 8 ? MOVE_64 : MOVE, slot, this.#slot(value))
  }

  /** Helpers may touch all guest state: what is still wanted of it moves away first. */
  #compileCall(at: number): void {
    const ops = this.#ops
    const end = at + A + ops[at + ARGUMENTS]!
    let isImmediate = true
    for (let argument = at + A; argument < end; argument++) {
      if (ops[ops[argument]! + KIND] !== Kind.constant) isImmediate = false
    }
    for (let argument = at + A; argument < end; argument++) {
      const value = ops[argument]!
      ops[argument] = isImmediate ? ops[value + A]! : this.#slot(value)
    }
    ops.fill(0, end, at + E + 1)
    this.#vacate(0, this.#nextScratch)
    const destination = ops[at + BYTES] === 0 ? 0 : this.#destination()
    this.#emit2(isImmediate ? CALL_IMMEDIATE : CALL, destination, ops[at + HELPER]!)
    for (let argument = at + A; argument <= at + E; argument++) this.code[this.codeWords++] = ops[argument]!
  }

  #compileExit(exit: Exit): void {
    switch (exit.kind) {
      case 'jump':
        this.#emit2(JUMP, 0, exit.target)
        return
      case 'branch':
        this.#compileBranch(exit)
        return
      case 'indirect':
        this.#emit2(INDIRECT, this.#slot(exit.target), NOWHERE)
        return
      case 'look':
        this.#emit1(LOOK, exit.target)
        return
      case 'lookAtState':
        this.#emit0(LOOK_AT_STATE)
        return
      case 'fault':
        this.#emit1(FAULT, exit.code)
        return
    }
  }

  #compileBranch({ condition, taken, fallThrough }: Extract<Exit, { kind: 'branch' }>): void {
    const ops = this.#ops
    if (ops[condition + DONE] === 1) {
      const left = this.#slot(ops[condition + A]!)
      this.#emit4(ops[condition + BRANCH]!, left, this.#slot(ops[condition + B]!), 0, taken)
    } else {
      this.#emit4(BRANCHES.ne, this.#slot(condition), ZERO_SLOT, 0, taken)
    }
    this.code[this.codeWords++] = 0
    this.code[this.codeWords++] = fallThrough
  }
}

/** The same words, with room for as many more. */
function grown(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const more = new Int32Array(2 * words.length)
  more.set(words)
  return more
}
