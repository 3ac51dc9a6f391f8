/**
 * A region to one WebAssembly function. In pseudocode:
 *
 *     (entry, budget, context) -> budget left
 *       registers = guest state
 *       next = entry
 *       loop: switch (next)
 *         case a block:
 *           budget -= its instructions; if (budget < 0) { give them back; leave(cut, its pc) }
 *           its operations, on registers
 *           go to the block that is next: forward by a branch, back by `next = ...; continue loop`; or leave(run, pc)
 *       leave: guest state = registers, pc, reason; return budget
 *
 * What is not a plain operation on registers and memory is left to the interpreter: the function leaves just before that
 * instruction, with the state that it is to find.
 */
import assert from 'node:assert/strict'
import type { Binary, Block, Compare, Op, Value } from '../ir/ir.ts'
import { valuesOf } from '../ir/uses.ts'
import { SOFT_TLB_BASE } from '../memory.ts'
import { SOFT_TLB_ENTRIES } from '../soft-tlb.ts'
import { FunctionBody, type Label, type Local, type Plain, type ValueType } from '../wasm/function.ts'
import { Reason } from './reason.ts'
import type { RegionBlock } from './region.ts'

/** What the generated code knows of guest state. All byte offsets. */
export interface StateLayout {
  pc: number
  /** State below this offset is registers: held in locals, never touched by helpers. */
  registerBytes: number
  branchTarget: number
  inDelaySlot: number
  /** Where a region leaves its reason. */
  reason: number
  /** Where a slow load leaves its value. */
  slowValue: number
  /** Where a helper says that it failed. */
  failed: number
  /** Instructions left before the limit, when a helper or a slow load is called. */
  left: number
}

/** Numbers of the imported functions. */
export const STORE_SIGNATURE = { parameters: ['i32', 'i32', 'i32', 'i32'], results: ['i32'] } as const
export const IMPORTS = [
  { name: 'load', signature: { parameters: ['i32', 'i32'], results: ['i32'] } },
  { name: 'store', signature: STORE_SIGNATURE },
  { name: 'helper', signature: { parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], results: ['i32'] } },
] as const
const SLOW_LOAD = 0
const SLOW_STORE = 1
const HELPER = 2
/** Arguments of a helper. */
const HELPER_ARGUMENTS = 5

export const REGION_SIGNATURE = { parameters: ['i32', 'i32', 'i32'], results: ['i32'] } as const

/** Kinds of access as the slow functions are told: width, sign, and whether the address's low bits are dropped. */
export const SIGNED = 0x100
export const DOWN = 0x200
export const FOR_WRITE = 0x400

export function emitRegion(blocks: readonly RegionBlock[], layout: StateLayout): FunctionBody {
  return new RegionEmitter(blocks, layout).run()
}

class RegionEmitter {
  readonly #f = new FunctionBody(REGION_SIGNATURE.parameters)
  readonly #blocks: readonly RegionBlock[]
  readonly #layout: StateLayout
  readonly #budget: Local
  readonly #context: Local
  readonly #next: Local
  readonly #pc: Local
  readonly #reason: Local
  readonly #registers = new Map<number, Local>()
  readonly #written = new Set<number>()
  readonly #byPc = new Map<number, number>()
  #labels: Label[] = []
  #top!: Label
  #leave!: Label
  // Of the block being emitted.
  #number = 0
  #block!: Block
  #count = 0
  #values: (Local | undefined)[] = []
  #inline!: Uint8Array
  #uses!: Int32Array
  readonly #pool: Record<ValueType, Local[]> = { i32: [], i64: [] }
  readonly #used: Record<ValueType, number> = { i32: 0, i64: 0 }

  constructor(blocks: readonly RegionBlock[], layout: StateLayout) {
    this.#blocks = blocks
    this.#layout = layout
    this.#budget = this.#f.parameter(1)
    this.#context = this.#f.parameter(2)
    this.#next = this.#f.parameter(0)
    this.#pc = this.#f.local('i32')
    this.#reason = this.#f.local('i32')
    for (const [number, { block }] of blocks.entries()) this.#byPc.set(block.pc | 0, number)
  }

  run(): FunctionBody {
    const f = this.#f
    this.#findRegisters()
    for (const [offset, local] of this.#registers) {
      f.i32(0)
      f.memory('i32.load', offset)
      f.set(local)
    }
    this.#leave = f.block()
    this.#top = f.loop()
    this.#labels = new Array(this.#blocks.length)
    for (let number = this.#blocks.length - 1; number >= 0; number--) this.#labels[number] = f.block()
    f.get(this.#next)
    f.brTable(this.#labels)
    for (const [number, block] of this.#blocks.entries()) {
      f.end(this.#labels[number]!)
      this.#emitBlock(number, block)
    }
    f.end(this.#top)
    f.end(this.#leave)
    this.#emitLeave()
    return f
  }

  #findRegisters(): void {
    const note = (offset: number, written: boolean) => {
      if (offset >= this.#layout.registerBytes) return
      if (!this.#registers.has(offset)) this.#registers.set(offset, this.#f.local('i32'))
      if (written) this.#written.add(offset)
    }
    for (const { block } of this.#blocks) {
      for (const op of block.ops) {
        if (op.op !== 'get' && op.op !== 'put') continue
        note(op.offset, op.op === 'put')
        if (op.type === 'i64') note(op.offset + 4, op.op === 'put')
      }
    }
  }

  #emitLeave(): void {
    const f = this.#f
    for (const offset of this.#written) {
      f.i32(0)
      f.get(this.#registers.get(offset)!)
      f.memory('i32.store', offset)
    }
    f.i32(0)
    f.get(this.#pc)
    f.memory('i32.store', this.#layout.pc)
    f.i32(0)
    f.get(this.#reason)
    f.memory('i32.store', this.#layout.reason)
    f.get(this.#budget)
  }

  // --- Blocks -------------------------------------------------------------------------------------------------------

  #emitBlock(number: number, { block, count }: RegionBlock): void {
    const f = this.#f
    this.#number = number
    this.#block = block
    this.#count = count
    this.#values = new Array(block.ops.length)
    this.#used.i32 = 0
    this.#used.i64 = 0
    this.#planInlining()
    // budget -= count; if (budget < 0) { budget += count; leave(cut, pc) }
    f.get(this.#budget)
    f.i32(count)
    f.op('i32.sub')
    f.tee(this.#budget)
    f.i32(0)
    f.op('i32.lt_s')
    const short = f.if()
    this.#giveBack(count)
    this.#leaveFor(block.pc, Reason.cut)
    f.end(short)
    const whole = count === block.instructions.length
    const end = whole ? block.ops.length : block.instructions[count]!.start
    for (let index = 0; index < end; index++) this.#emitOp(index)
    if (whole) this.#emitExit()
    else this.#leaveFor(block.instructions[count]!.pc, Reason.interpret)
  }

  /** A value is emitted where it is used if that is one place and no state is written on the way there. */
  #planInlining(): void {
    const { ops, exit } = this.#block
    const uses = new Int32Array(ops.length)
    const user = new Int32Array(ops.length)
    const use = (value: Value, at: number) => {
      uses[value]!++
      user[value] = at
    }
    const effectsBefore = new Int32Array(ops.length + 2)
    for (const [index, op] of ops.entries()) {
      for (const value of valuesOf(op)) use(value, index)
      effectsBefore[index + 1] = effectsBefore[index]! + (isEffect(op) ? 1 : 0)
    }
    effectsBefore[ops.length + 1] = effectsBefore[ops.length]!
    if (exit.kind === 'branch') use(exit.condition, ops.length)
    if (exit.kind === 'indirect') use(exit.target, ops.length)
    const inline = new Uint8Array(ops.length)
    const emittedAt = new Int32Array(ops.length)
    for (let index = ops.length - 1; index >= 0; index--) {
      emittedAt[index] = index
      const op = ops[index]!
      if (op.op === 'const') inline[index] = 1
      if (!isPure(op) || uses[index] !== 1) continue
      const at = user[index]! < ops.length ? emittedAt[user[index]!]! : ops.length
      if (effectsBefore[at] !== effectsBefore[index + 1]) continue
      inline[index] = 1
      emittedAt[index] = at
    }
    this.#inline = inline
    this.#uses = uses
  }
  #local(type: ValueType): Local {
    const pool = this.#pool[type]
    const number = this.#used[type]++
    pool[number] ??= this.#f.local(type)
    return pool[number]
  }

  /** Pushes `value`. */
  #push(value: Value): void {
    const f = this.#f
    const op = this.#block.ops[value]!
    if (op.op === 'const') {
      if (op.type === 'i32') f.i32(op.value)
      else f.i64(op.value)
      return
    }
    if (this.#inline[value] === 1) {
      this.#compute(op)
      return
    }
    const local = this.#values[value]
    assert(local !== undefined, 'a value is made before it is used')
    f.get(local)
  }

  #emitOp(index: number): void {
    const f = this.#f
    const op = this.#block.ops[index]!
    if (this.#inline[index] === 1) return
    switch (op.op) {
      case 'put':
        this.#emitPut(op)
        return
      case 'store':
        this.#emitStore(op, index)
        return
      case 'faultIf': {
        this.#push(op.condition)
        const faults = f.if()
        this.#leaveBefore(index)
        f.end(faults)
        return
      }
      case 'exitIf': {
        this.#push(op.condition)
        const exits = f.if()
        this.#giveBack(this.#count - this.#instructionOf(index) - 1)
        this.#goTo(op.target)
        f.end(exits)
        return
      }
      case 'load':
        this.#emitLoad(op, index)
        break
      case 'call':
        this.#emitCall(op, index)
        if (op.type === undefined) {
          f.op('drop')
          return
        }
        break
      default:
        if (this.#uses[index] === 0) return
        this.#compute(op)
    }
    const type = typeOf(op)
    const local = this.#local(type)
    this.#values[index] = local
    f.set(local)
  }

  /** Pushes the result of a pure operation. */
  #compute(op: Op): void {
    const f = this.#f
    switch (op.op) {
      case 'get':
        this.#pushState(op)
        return
      case 'binary':
        this.#push(op.a)
        this.#push(op.b)
        f.op(`${op.type}.${BINARIES[op.name]}` as Plain)
        return
      case 'compare':
        this.#push(op.a)
        this.#push(op.b)
        f.op(`${op.type}.${COMPARES[op.name]}` as Plain)
        return
      case 'unary':
        this.#push(op.a)
        if (op.name === 'swap') this.#swap()
        else f.op(`${op.type}.${UNARIES[op.name]}` as Plain)
        return
      case 'convert':
        this.#push(op.a)
        f.op(CONVERTS[op.name])
        return
      case 'select':
        this.#push(op.a)
        this.#push(op.b)
        this.#push(op.condition)
        f.op('select')
        return
      default:
        assert.fail(`${op.op} is not pure`)
    }
  }

  /** rotl(x, 8) & 0x00ff00ff | rotr(x, 8) & 0xff00ff00 */
  #swap(): void {
    const f = this.#f
    const x = this.#local('i32')
    f.tee(x)
    f.i32(8)
    f.op('i32.rotl')
    f.i32(0x00ff_00ff)
    f.op('i32.and')
    f.get(x)
    f.i32(8)
    f.op('i32.rotr')
    f.i32(0xff00_ff00 | 0)
    f.op('i32.and')
    f.op('i32.or')
  }

  #pushState(op: Extract<Op, { op: 'get' }>): void {
    const f = this.#f
    if (op.offset >= this.#layout.registerBytes) {
      f.i32(0)
      f.memory(op.type === 'i64' ? 'i64.load' : 'i32.load', op.offset)
      return
    }
    f.get(this.#registers.get(op.offset)!)
    if (op.type !== 'i64') return
    f.op('i64.extend_i32_u')
    f.get(this.#registers.get(op.offset + 4)!)
    f.op('i64.extend_i32_u')
    f.i64(32n)
    f.op('i64.shl')
    f.op('i64.or')
  }

  #emitPut(op: Extract<Op, { op: 'put' }>): void {
    const f = this.#f
    if (op.offset >= this.#layout.registerBytes) {
      f.i32(0)
      this.#push(op.value)
      f.memory(op.type === 'i64' ? 'i64.store' : 'i32.store', op.offset)
      return
    }
    this.#push(op.value)
    if (op.type === 'i64') {
      const wide = this.#local('i64')
      f.tee(wide)
      f.i64(32n)
      f.op('i64.shr_u')
      f.op('i32.wrap_i64')
      f.set(this.#registers.get(op.offset + 4)!)
      f.get(wide)
      f.op('i32.wrap_i64')
    }
    f.set(this.#registers.get(op.offset)!)
  }

  // --- Memory -------------------------------------------------------------------------------------------------------

  /**
   * address = base + displacement; entry = soft TLB entry of its page; pushes whether the tag does not fit.
   */
  #lookUp(op: Extract<Op, { op: 'load' | 'store' }>, write: boolean): { address: Local; entry: Local; wanted: Local } {
    const f = this.#f
    const wanted = this.#local('i32')
    const entry = this.#local('i32')
    const down = op.alignment === 'down'
    const address = down ? this.#local('i32') : wanted
    this.#push(op.address)
    if (op.displacement !== 0) {
      f.i32(op.displacement)
      f.op('i32.add')
    }
    f.tee(wanted)
    if (down) {
      f.i32(-op.width / 8)
      f.op('i32.and')
      f.tee(address)
    }
    f.i32(10)
    f.op('i32.shr_u')
    f.i32((SOFT_TLB_ENTRIES - 1) << 2)
    f.op('i32.and')
    f.tee(entry)
    f.memory('i32.load', SOFT_TLB_BASE + (write ? 4 * SOFT_TLB_ENTRIES : 0))
    f.get(address)
    f.i32(~0xfff | (Math.min(op.width, 32) / 8 - 1))
    f.op('i32.and')
    f.get(this.#context)
    f.op('i32.or')
    f.op('i32.ne')
    if (op.width === 64) {
      f.get(address)
      f.i32(4)
      f.op('i32.and')
      f.op('i32.or')
    }
    return { address, entry, wanted }
  }

  /** Pushes the byte address in CPU memory. */
  #pushHost(address: Local, entry: Local): void {
    const f = this.#f
    f.get(entry)
    f.memory('i32.load', SOFT_TLB_BASE + 8 * SOFT_TLB_ENTRIES)
    f.get(address)
    f.op('i32.add')
  }

  /** Leaves the loaded value on the stack. */
  #emitLoad(op: Extract<Op, { op: 'load' }>, index: number): void {
    const f = this.#f
    const { address, entry, wanted } = this.#lookUp(op, false)
    const miss = f.if(op.type)
    this.#storeLeft(index)
    f.get(wanted)
    f.i32(accessKind(op))
    f.call(SLOW_LOAD)
    f.op('i32.eqz')
    const failed = f.if()
    this.#leaveBefore(index)
    f.end(failed)
    f.i32(0)
    f.memory(op.type === 'i64' ? 'i64.load' : 'i32.load', this.#layout.slowValue)
    f.else()
    this.#pushHost(address, entry)
    if (op.width === 64) f.memory('i64.load', 0)
    else if (op.width === 32) f.memory('i32.load', 0)
    else f.memory(`i32.load${op.width}_${op.signed ? 's' : 'u'}`, 0)
    f.end(miss)
  }

  /** Tells a helper or a slow load what icount it is called at. */
  #storeLeft(index: number): void {
    const f = this.#f
    f.i32(0)
    f.get(this.#budget)
    f.i32(this.#count - this.#instructionOf(index))
    f.op('i32.add')
    f.memory('i32.store', this.#layout.left)
  }

  /** Leaves the helper's value on the stack. A helper that fails has changed nothing that doing it again would not. */
  #emitCall(op: Extract<Op, { op: 'call' }>, index: number): void {
    const f = this.#f
    this.#storeLeft(index)
    f.i32(op.helper)
    for (const value of op.args) this.#push(value)
    for (let argument = op.args.length; argument < HELPER_ARGUMENTS; argument++) f.i32(0)
    f.call(HELPER)
    f.i32(0)
    f.memory('i32.load', this.#layout.failed)
    const failed = f.if()
    this.#leaveBefore(index)
    f.end(failed)
  }

  #emitStore(op: Extract<Op, { op: 'store' }>, index: number): void {
    const f = this.#f
    const value = this.#local(op.width === 64 ? 'i64' : 'i32')
    this.#push(op.value)
    f.set(value)
    const { address, entry, wanted } = this.#lookUp(op, true)
    const miss = f.if()
    if (op.width === 64) {
      // Rare enough to leave to the interpreter.
      this.#leaveBefore(index)
    } else {
      this.#storeLeft(index)
      f.get(wanted)
      f.get(value)
      f.i32(accessKind(op))
      f.get(this.#context)
      f.call(SLOW_STORE)
      f.op('i32.eqz')
      const failed = f.if()
      this.#leaveBefore(index)
      f.end(failed)
    }
    f.else()
    this.#pushHost(address, entry)
    f.get(value)
    if (op.width === 64) f.memory('i64.store', 0)
    else f.memory(op.width === 32 ? 'i32.store' : `i32.store${op.width}`, 0)
    f.end(miss)
  }

  // --- Ways out -----------------------------------------------------------------------------------------------------

  #instructionOf(index: number): number {
    return this.#block.instructions.findLastIndex(({ start }) => start <= index)
  }

  #giveBack(instructions: number): void {
    if (instructions === 0) return
    const f = this.#f
    f.get(this.#budget)
    f.i32(instructions)
    f.op('i32.add')
    f.set(this.#budget)
  }

  #leaveFor(pc: number, reason: number): void {
    const f = this.#f
    f.i32(pc | 0)
    f.set(this.#pc)
    f.i32(reason)
    f.set(this.#reason)
    f.br(this.#leave)
  }

  /** Leaves with the state before the instruction that operation `index` belongs to. */
  #leaveBefore(index: number): void {
    const number = this.#instructionOf(index)
    const { pc, delaySlot } = this.#block.instructions[number]!
    this.#giveBack(this.#count - number)
    if (!delaySlot) {
      this.#leaveFor(pc, Reason.interpret)
      return
    }
    // Between a branch and its delay slot the branch's target is state.
    const f = this.#f
    f.i32(0)
    this.#pushTarget()
    f.memory('i32.store', this.#layout.branchTarget)
    f.i32(0)
    f.i32(1)
    f.memory('i32.store', this.#layout.inDelaySlot)
    this.#leaveFor(pc, Reason.look)
  }

  #pushTarget(): void {
    const f = this.#f
    const { exit } = this.#block
    if (exit.kind === 'jump') f.i32(exit.target | 0)
    else if (exit.kind === 'indirect') this.#push(exit.target)
    else if (exit.kind === 'branch') {
      f.i32(exit.taken | 0)
      f.i32(exit.fallThrough | 0)
      this.#push(exit.condition)
      f.op('select')
    } else assert.fail('a delay slot follows a branch')
  }

  /** Goes on at `pc`, in this region or outside. */
  #goTo(pc: number): void {
    const f = this.#f
    const number = this.#byPc.get(pc | 0)
    if (number === undefined) {
      this.#leaveFor(pc, Reason.run)
    } else if (number > this.#number) {
      f.br(this.#labels[number]!)
    } else {
      f.i32(number)
      f.set(this.#next)
      f.br(this.#top)
    }
  }

  #emitExit(): void {
    const f = this.#f
    const { exit } = this.#block
    if (exit.kind === 'jump') {
      this.#goTo(exit.target)
    } else if (exit.kind === 'branch') {
      this.#push(exit.condition)
      const taken = f.if()
      this.#goTo(exit.taken)
      f.end(taken)
      this.#goTo(exit.fallThrough)
    } else if (exit.kind === 'indirect') {
      this.#emitIndirect(exit.target)
    } else if (exit.kind === 'look') {
      this.#leaveFor(exit.target, Reason.look)
    } else if (exit.kind === 'lookAtState') {
      f.i32(0)
      f.memory('i32.load', this.#layout.pc)
      f.set(this.#pc)
      f.i32(Reason.look)
      f.set(this.#reason)
      f.br(this.#leave)
    } else assert.fail(`a translated block does not end in ${exit.kind}`)
  }

  /** Returns to where this region calls from stay in it. */
  #emitIndirect(target: Value): void {
    const f = this.#f
    this.#push(target)
    f.set(this.#pc)
    for (const { block, count } of this.#blocks) {
      const isCall =
        count === block.instructions.length && (block.exit.kind === 'jump' || block.exit.kind === 'indirect')
      const after = (block.pc + block.length) | 0
      if (!isCall || !this.#byPc.has(after) || !putsConstant(block, after)) continue
      f.get(this.#pc)
      f.i32(after)
      f.op('i32.eq')
      const here = f.if()
      this.#goTo(after)
      f.end(here)
    }
    f.i32(Reason.run)
    f.set(this.#reason)
    f.br(this.#leave)
  }
}

/** Whether `block` leaves `value` in a register: the mark of a call. */
function putsConstant({ ops }: Block, value: number): boolean {
  return ops.some((op) => {
    if (op.op !== 'put') return false
    const put = ops[op.value]!
    return put.op === 'const' && put.type === 'i32' && put.value === value
  })
}

function accessKind(op: Extract<Op, { op: 'load' | 'store' }>): number {
  if (op.op === 'store') return op.width | (op.alignment === 'down' ? DOWN : 0)
  return op.width | (op.signed ? SIGNED : 0) | (op.alignment === 'down' ? DOWN : 0) | (op.forWrite ? FOR_WRITE : 0)
}

function isPure(op: Op): boolean {
  return (
    op.op === 'get' ||
    op.op === 'binary' ||
    op.op === 'compare' ||
    op.op === 'unary' ||
    op.op === 'convert' ||
    op.op === 'select'
  )
}

function isEffect(op: Op): boolean {
  return op.op === 'put' || op.op === 'store' || op.op === 'load' || op.op === 'call'
}

function typeOf(op: Op): ValueType {
  switch (op.op) {
    case 'compare':
      return 'i32'
    case 'call':
      assert(op.type !== undefined)
      return op.type
    case 'convert':
      return op.name === 'wrap' ? 'i32' : 'i64'
    case 'const':
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
