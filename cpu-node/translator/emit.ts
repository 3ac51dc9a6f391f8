/**
 * A region to one WebAssembly function. In pseudocode:
 *
 *     (entry, budget, context) -> budget left
 *       next = the block that entry says
 *       loop: switch (next)
 *         case a block:
 *           if (budget < its instructions) leave(cut, its pc)
 *           budget -= its instructions
 *           its operations
 *           go to the block that is next: forward by a branch, back by `next = ...; continue loop`; or leave(run, pc)
 *
 * Between blocks guest registers are in memory, so that entering costs no loads and leaving no stores; but in a region with
 * a loop those used most are in locals (`pinned.ts`). Within a block what was read or put is kept in a local, and stored at
 * the block's end or where it is left before; a block that is a loop of its own keeps its registers in locals all the time, and
 * checks the budget where it goes round, not at its top.
 *
 * Relative code may be of several pages, which stand as far from each other wherever it runs. Whether they do now, and can be
 * fetched from, is looked up when execution first comes from one to another. Nothing that a region does can change it: code that
 * may be mapped elsewhere ends a block after whatever changes the mapping.
 *
 * What is not a plain operation on registers and memory is left to the interpreter: the function leaves just before that
 * instruction, with the state that it is to find.
 */
import assert from 'node:assert/strict'
import { NOWHERE, REGION_PAGE_SHIFT, REGION_PART_MASK } from '../interpreter/code-cache.ts'
import type { Block, Op, Value } from '../ir/ir.ts'
import type { Code } from '../isa/code.ts'
import type { InlineCall } from '../isa/inline-call.ts'
import { CODE_PAGES, PAGE_BYTES, PAGE_SHIFT, REGION_RECORD } from '../memory.ts'
import { FunctionBody, type Label, type Local, type ValueType } from '../wasm/function.ts'
import {
  emitGroupedLoad,
  emitGroupedStore,
  emitGroupLookUp,
  emitLoad,
  emitStore,
  inlineRam,
  type Site,
} from './access.ts'
import { type AccessGroup, groupAccesses, type Load, type Store } from './access-groups.ts'
import { Cells } from './cells.ts'
import { FIRST_PASSES } from './idle-loops.ts'
import { planInlining } from './inlining.ts'
import { HELPER_ARGUMENTS, Import, type Layout, REGION_SIGNATURE, type Window } from './layout.ts'
import { pinnedRegisters, wordsOf } from './pinned.ts'
import { Reason } from './reason.ts'
import type { RegionBlock } from './region.ts'
import { pushRegionRecord } from './region-record.ts'
import { emitPure, typeOf } from './values.ts'

/**
 * `window`: RAM that all code of the region may use. `byCall`: where accesses are that often miss the fast way. `waits`: as
 * `mayWait` says; it imports `goOn` then.
 */
export function emitRegion(
  blocks: readonly RegionBlock[],
  layout: Layout,
  window: Window | undefined,
  byCall: ReadonlySet<number>,
  waits: boolean,
  inlineCall: Code['inlineCall'],
): FunctionBody {
  return new RegionEmitter(blocks, layout, window, byCall, waits, inlineCall).run()
}

class RegionEmitter {
  readonly #f = new FunctionBody(REGION_SIGNATURE.parameters)
  readonly #blocks: readonly RegionBlock[]
  readonly #layout: Layout
  readonly #window: Window | undefined
  readonly #byCall: ReadonlySet<number>
  readonly #inlineCall: Code['inlineCall']
  readonly #budget: Local
  readonly #context: Local
  /** Where it was entered; then the number of the block to go to. */
  readonly #next: Local
  /** Where it is left, and how many instructions of the block are not done. */
  readonly #unspent: Local
  readonly #pc: Local
  /** For a region of relative blocks: the virtual address of the lowest of their pages. */
  readonly #base: Local | undefined
  /** Where those are of several. */
  readonly #pages: Pages | undefined
  /** Of a region that may wait for a device in a loop (idle-loops.ts): backward jumps before it asks, and whether it is armed. */
  readonly #waiting: { passes: Local; armed: Local } | undefined
  readonly #byPc = new Map<number, number>()
  /** Of each block that ends in a call where that returns to, as it counts. */
  readonly #returns: readonly (number | undefined)[]
  /** A local for each register, by its offset. */
  readonly #registers = new Map<number, Local>()
  #labels: Label[] = []
  #top!: Label
  /** Ways out with `#pc` set; the first two with `#unspent`. */
  #interpret!: Label
  #missed!: Label
  #cut!: Label
  #crossing!: Label
  #leaving!: Label
  /** Registers that are in their locals all the time; who leaves by `#leaving` has them stored. */
  #pinned: ReadonlySet<number> = new Set()
  #pinnedPut: Iterable<number> = []
  // Of the block being emitted.
  #number = 0
  #block!: Block
  #count = 0
  /** The start of the block, where it is a loop of its own. */
  #again: Label | undefined
  #values: (Local | undefined)[] = []
  #inline!: Uint8Array
  #uses!: Int32Array
  #groups: ReadonlyMap<number, AccessGroup> = new Map()
  /** Registers whose value is in their local, and those of them that memory does not have yet. */
  readonly #cached = new Set<number>()
  readonly #dirty = new Set<number>()
  readonly #cells = new Cells(this.#f)
  readonly #pool: Record<ValueType, Local[]> = { i32: [], i64: [], f32: [], f64: [] }
  #used: Record<ValueType, number> = { i32: 0, i64: 0, f32: 0, f64: 0 }

  constructor(
    blocks: readonly RegionBlock[],
    layout: Layout,
    window: Window | undefined,
    byCall: ReadonlySet<number>,
    waits: boolean,
    inlineCall: Code['inlineCall'],
  ) {
    this.#byCall = byCall
    this.#inlineCall = inlineCall
    this.#blocks = blocks
    this.#layout = layout
    this.#window = window
    this.#budget = this.#f.parameter(1)
    this.#context = this.#f.parameter(2)
    this.#next = this.#f.parameter(0)
    this.#unspent = this.#f.local('i32')
    this.#pc = this.#f.local('i32')
    this.#base = blocks[0]!.block.relative ? this.#f.local('i32') : undefined
    const pages = new Set(blocks.map(({ block }) => block.pc >>> PAGE_SHIFT))
    if (this.#base !== undefined && pages.size > 1) {
      const [record, valid, wanted] = [this.#f.local('i32'), this.#f.local('i32'), this.#f.local('i32')]
      const bits = new Map([...pages].sort((a, b) => a - b).map((page, place) => [page, 1 << place]))
      const call = () => ({ pc: this.#f.local('i32'), number: this.#f.local('i32') })
      this.#pages = { bits, record, valid, wanted, calls: [call(), call()] }
    }
    this.#waiting = waits ? { passes: this.#f.local('i32'), armed: this.#f.local('i32') } : undefined
    for (const [number, { block }] of blocks.entries()) this.#byPc.set(block.pc | 0, number)
    this.#returns = blocks.map(returnOf)
  }

  run(): FunctionBody {
    const f = this.#f
    this.#emitEntry()
    if (this.#waiting !== undefined) {
      f.i32(FIRST_PASSES)
      f.set(this.#waiting.passes)
    }
    const { pinned, put } = pinnedRegisters(this.#blocks, this.#layout.registerBytes)
    this.#pinned = pinned
    this.#pinnedPut = put
    for (const offset of pinned) {
      f.i32(0)
      f.memory('i32.load', offset)
      f.set(this.#registerLocal(offset))
    }
    this.#leaving = f.block()
    const parting = f.block()
    this.#cut = f.block()
    const givingBack = f.block()
    this.#interpret = f.block()
    this.#missed = f.block()
    this.#top = f.loop()
    if (this.#pages !== undefined) this.#crossing = f.block()
    this.#labels = new Array(this.#blocks.length)
    for (let number = this.#blocks.length - 1; number >= 0; number--) this.#labels[number] = f.block()
    f.get(this.#next)
    f.brTable(this.#labels)
    for (const [number, block] of this.#blocks.entries()) {
      f.end(this.#labels[number]!)
      this.#emitBlock(number, block)
    }
    if (this.#pages !== undefined) {
      f.end(this.#crossing)
      this.#emitCrossing(this.#pages)
    }
    f.end(this.#top)
    f.op('unreachable')
    f.end(this.#missed)
    this.#storeReason(Reason.missed)
    f.br(givingBack)
    f.end(this.#interpret)
    this.#storeReason(Reason.interpret)
    f.end(givingBack)
    f.get(this.#budget)
    f.get(this.#unspent)
    f.op('i32.add')
    f.set(this.#budget)
    f.br(parting)
    f.end(this.#cut)
    this.#storeReason(Reason.cut)
    f.end(parting)
    this.#storePc(() => f.get(this.#pc))
    f.end(this.#leaving)
    for (const offset of put) this.#storeRegister(offset)
    f.get(this.#budget)
    return f
  }

  /** next = the block's number; base = state's PC less what the block's page is above the lowest */
  #emitEntry(): void {
    const f = this.#f
    const pages = this.#pages
    if (pages !== undefined) {
      pushRegionRecord(f, this.#next)
      f.set(pages.record)
      // No address: nothing has been called.
      for (const { pc } of pages.calls) {
        f.i32(NOWHERE)
        f.set(pc)
      }
    }
    if (this.#base !== undefined) {
      f.i32(0)
      f.memory('i32.load', this.#layout.pc)
      f.i32(-PAGE_BYTES)
      f.op('i32.and')
      if (pages !== undefined) {
        f.get(this.#next)
        f.i32(PAGE_SHIFT - REGION_PAGE_SHIFT)
        f.op('i32.shl')
        f.i32(REGION_PART_MASK << PAGE_SHIFT)
        f.op('i32.and')
        f.op('i32.sub')
      } else if (this.#blocks[0]!.block.pc >= PAGE_BYTES) {
        // Of the lower pages nothing could be translated.
        f.i32(this.#blocks[0]!.block.pc & -PAGE_BYTES)
        f.op('i32.sub')
      }
      f.set(this.#base)
    }
    f.get(this.#next)
    f.i32(REGION_PART_MASK)
    f.op('i32.and')
    f.set(this.#next)
  }

  // --- Blocks -------------------------------------------------------------------------------------------------------

  #emitBlock(number: number, { block, count }: RegionBlock): void {
    const f = this.#f
    this.#number = number
    this.#block = block
    this.#count = count
    this.#values = new Array(block.ops.length)
    this.#used = { i32: 0, i64: 0, f32: 0, f64: 0 }
    this.#cached.clear()
    for (const offset of this.#pinned) this.#cached.add(offset)
    this.#dirty.clear()
    this.#cells.clear()
    const { inline, uses } = planInlining(block)
    this.#inline = inline
    this.#uses = uses
    const whole = count === block.instructions.length
    const end = whole ? block.ops.length : block.instructions[count]!.start
    this.#groups = groupAccesses(block, end, (index) => this.#isByCall(index))
    this.#again = undefined
    this.#spend()
    if (whole && loopsToItself(block) && this.#waiting === undefined) {
      this.#loadRegisters()
      this.#again = f.loop()
    }
    for (let index = 0; index < end; index++) this.#emitOp(index)
    if (whole) this.#emitExit()
    else this.#leaveFor(block.instructions[count]!.pc, Reason.interpret)
    if (this.#again !== undefined) {
      f.end(this.#again)
      f.op('unreachable')
    }
  }

  /** if (budget < the block's instructions) leave(cut, its pc); budget -= them */
  #spend(): void {
    const f = this.#f
    f.get(this.#budget)
    f.i32(this.#count)
    f.op('i32.lt_s')
    const short = f.if(undefined, false)
    this.#writeBack()
    this.#pushAddress(this.#block.pc)
    f.set(this.#pc)
    f.br(this.#cut)
    f.end(short)
    f.get(this.#budget)
    f.i32(this.#count)
    f.op('i32.sub')
    f.set(this.#budget)
  }

  /** Loads all registers of the block: in its loop they stay in their locals, and those it puts are stored by any way out. */
  #loadRegisters(): void {
    for (const op of this.#block.ops) {
      if ((op.op !== 'get' && op.op !== 'put') || !this.#isRegister(op.offset)) continue
      for (const offset of wordsOf(op)) {
        if (!this.#cached.has(offset)) {
          this.#pushRegister(offset)
          this.#f.op('drop')
        }
        if (op.op === 'put' && !this.#pinned.has(offset)) this.#dirty.add(offset)
      }
    }
  }

  /** Stores the registers that memory does not have yet. They stay so for other ways on than this one. */
  #writeBack(): void {
    for (const offset of this.#dirty) this.#storeRegister(offset)
  }

  #storeRegister(offset: number): void {
    this.#f.i32(0)
    this.#f.get(this.#registerLocal(offset))
    this.#f.memory('i32.store', offset)
  }

  #local(type: ValueType): Local {
    const pool = this.#pool[type]
    const number = this.#used[type]++
    pool[number] ??= this.#f.local(type)
    return pool[number]
  }

  // --- Values -------------------------------------------------------------------------------------------------------

  /** Pushes `value`. */
  #push(value: Value): void {
    const f = this.#f
    const op = this.#block.ops[value]!
    if (op.op === 'const') {
      if (op.type === 'i32') f.i32(op.value)
      else f.i64(op.value)
      return
    }
    if (op.op === 'address') {
      this.#pushAddress(op.offset)
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

  /** Pushes the result of a pure operation. */
  #compute(op: Op): void {
    if (op.op === 'get') this.#pushState(op)
    else
      emitPure(
        this.#f,
        op,
        (value) => this.#push(value),
        () => this.#local('i32'),
      )
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
        const faults = f.if(undefined, false)
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
      case 'lookIf': {
        this.#push(op.condition)
        const looks = f.if(undefined, false)
        this.#giveBack(this.#count - this.#instructionOf(index) - 1)
        this.#leaveFor(op.target, Reason.look)
        f.end(looks)
        return
      }
      case 'load':
        this.#emitLoad(op, index)
        break
      case 'call': {
        const inline = this.#inlineCallOf(op)
        if (inline !== undefined) {
          this.#values[index] = this.#emitInlineCall(inline, op, index)
          return
        }
        this.#emitCall(op, index)
        this.#cells.clear()
        if (op.type === undefined) {
          f.op('drop')
          return
        }
        break
      }
      default:
        if (this.#uses[index] === 0) return
        this.#compute(op)
    }
    const local = this.#local(typeOf(op))
    this.#values[index] = local
    f.set(local)
  }

  #isRegister(offset: number): boolean {
    return offset < this.#layout.registerBytes
  }

  #registerLocal(offset: number): Local {
    let local = this.#registers.get(offset)
    if (local === undefined) {
      local = this.#f.local('i32')
      this.#registers.set(offset, local)
    }
    return local
  }

  #pushRegister(offset: number): void {
    const f = this.#f
    const local = this.#registerLocal(offset)
    if (this.#cached.has(offset)) {
      f.get(local)
      return
    }
    f.i32(0)
    f.memory('i32.load', offset)
    f.tee(local)
    this.#cached.add(offset)
  }

  #pushState(op: Extract<Op, { op: 'get' }>): void {
    const f = this.#f
    if (op.type === 'i32' && this.#isRegister(op.offset)) {
      this.#pushRegister(op.offset)
    } else if (op.type === 'i64' && (this.#cached.has(op.offset) || this.#cached.has(op.offset + 4))) {
      this.#pushRegister(op.offset)
      f.op('i64.extend_i32_u')
      this.#pushRegister(op.offset + 4)
      f.op('i64.extend_i32_u')
      f.i64(32n)
      f.op('i64.shl')
      f.op('i64.or')
    } else {
      const held = op.type === 'i32' ? this.#cells.heldWord(op.offset) : undefined
      if (held !== undefined) {
        f.get(held)
      } else {
        f.i32(0)
        f.memory(op.type === 'i64' ? 'i64.load' : 'i32.load', op.offset)
      }
    }
  }

  #emitPut(op: Extract<Op, { op: 'put' }>): void {
    const f = this.#f
    if (!this.#isRegister(op.offset)) {
      f.i32(0)
      this.#push(op.value)
      f.memory(op.type === 'i64' ? 'i64.store' : 'i32.store', op.offset)
      this.#cells.forget(op.offset, op.type === 'i64' ? 8 : 4)
      return
    }
    this.#push(op.value)
    if (op.type === 'i64') {
      const wide = this.#local('i64')
      f.tee(wide)
      f.i64(32n)
      f.op('i64.shr_u')
      f.op('i32.wrap_i64')
      this.#setRegister(op.offset + 4)
      f.get(wide)
      f.op('i32.wrap_i64')
    }
    this.#setRegister(op.offset)
  }

  /** Pops a register's new value. */
  #setRegister(offset: number): void {
    this.#f.set(this.#registerLocal(offset))
    this.#cached.add(offset)
    if (!this.#pinned.has(offset)) this.#dirty.add(offset)
  }

  #emitLoad(op: Load, index: number): void {
    const site = this.#site(op.address, op.address, index)
    const group = this.#groupAt(site, op, index)
    if (group === undefined) emitLoad(site, op)
    else emitGroupedLoad(site, op, group)
  }

  #emitStore(op: Store, index: number): void {
    const site = this.#site(op.address, op.value, index)
    const group = this.#groupAt(site, op, index)
    if (group === undefined) emitStore(site, op)
    else emitGroupedStore(site, op, group)
  }

  /** The group of the access at `index`, looked up by now. */
  #groupAt(site: Site, op: Load | Store, index: number): AccessGroup | undefined {
    const group = this.#groups.get(index)
    if (group?.first === index) emitGroupLookUp(site, op, group)
    return group
  }

  // --- Calls --------------------------------------------------------------------------------------------------------

  #site(address: Value, value: Value, index: number): Site {
    return {
      f: this.#f,
      layout: this.#layout,
      window: this.#window,
      context: this.#context,
      local: (type) => this.#local(type),
      pushAddress: () => this.#push(address),
      pushValue: () => this.#push(value),
      pushLeft: () => this.#pushLeft(index),
      byCall: this.#isByCall(index),
      leaveMissed: () => this.#leaveBefore(index, this.#missed),
      leaveBefore: () => this.#leaveBefore(index),
      stored: () => this.#disarm(),
    }
  }

  /** What this region has done is more than to wait. */
  #disarm(): void {
    if (this.#waiting === undefined) return
    this.#f.i32(0)
    this.#f.set(this.#waiting.armed)
  }

  /** Before a jump back to the block at `pc`: rounds of a loop that does nothing are counted, and not done. */
  #waitOn(pc: number): void {
    if (this.#waiting === undefined) return
    const { passes, armed } = this.#waiting
    const f = this.#f
    f.get(passes)
    f.i32(1)
    f.op('i32.sub')
    f.tee(passes)
    f.i32(0)
    f.op('i32.lt_s')
    const asks = f.if(undefined, false)
    for (const offset of this.#pinnedPut) this.#storeRegister(offset)
    f.i32(pc | 0)
    f.get(this.#budget)
    f.get(armed)
    f.call(Import.goOn)
    f.set(this.#budget)
    f.i32(1)
    f.set(armed)
    f.i32(0)
    f.memory('i32.load', this.#layout.passes)
    f.set(passes)
    f.end(asks)
  }

  /** Pushes the instructions that are left before the limit: what tells a helper or a slow access its icount. */
  #pushLeft(index: number): void {
    const f = this.#f
    f.get(this.#budget)
    f.i32(this.#count - this.#instructionOf(index))
    f.op('i32.add')
  }

  /** Leaves the helper's value on the stack. A helper that fails has changed nothing that doing it again would not. */
  #emitCall(op: Extract<Op, { op: 'call' }>, index: number): void {
    const f = this.#f
    f.i32(0)
    this.#pushLeft(index)
    f.memory('i32.store', this.#layout.left)
    f.i32(op.helper)
    for (const value of op.args) this.#push(value)
    for (let argument = op.args.length; argument < HELPER_ARGUMENTS; argument++) f.i32(0)
    f.call(Import.helper)
    f.i32(0)
    f.memory('i32.load', this.#layout.failed)
    const failed = f.if(undefined, false)
    this.#leaveBefore(index)
    f.end(failed)
  }

  #inlineCallOf({ helper, args }: Extract<Op, { op: 'call' }>): InlineCall | undefined {
    return this.#inlineCall(
      helper,
      args.map((value) => this.#constantOf(value)),
    )
  }

  #constantOf(value: Value): number | undefined {
    const op = this.#block.ops[value]!
    return op.op === 'const' && op.type === 'i32' ? op.value : undefined
  }

  /** { { the usual case, which may leave for slow; go to done } slow: the call } done. The local of its value, if any. */
  #emitInlineCall(inline: InlineCall, op: Extract<Op, { op: 'call' }>, index: number): Local | undefined {
    const f = this.#f
    const cells = this.#cells
    const result = op.type && this.#local(op.type)
    const args = op.args.map((value) => this.#materialize(value))
    const used = { ...this.#used }
    const inputs = inline.reads.map((cell) => cells.hold(cell))
    const done = f.block()
    const slow = f.block()
    const local = (type: ValueType) => this.#local(type)
    const ram = inlineRam({ f, context: this.#context, local }, this.#layout, this.#window, slow)
    const outputs = inline.emit({ f, inputs, args, result, ram, slow, local })
    inline.writes.forEach((cell, place) => {
      cells.put(cell, outputs[place]!)
    })
    f.br(done)
    f.end(slow)
    this.#emitCall(op, index)
    if (result === undefined) f.op('drop')
    else f.set(result)
    for (const cell of inline.writes) cells.reload(cell)
    f.end(done)
    this.#used = used
    return result
  }

  /** Makes `value` now, for both ways of what follows; undefined: it is constant. */
  #materialize(value: Value): Local | undefined {
    if (this.#constantOf(value) !== undefined) return undefined
    if (this.#values[value] === undefined) {
      this.#push(value)
      const local = this.#local('i32')
      this.#f.set(local)
      this.#inline[value] = 0
      this.#values[value] = local
    }
    return this.#values[value]
  }

  // --- Ways out -----------------------------------------------------------------------------------------------------

  #instructionOf(index: number): number {
    return instructionOf(this.#block.instructions, index)
  }

  #giveBack(instructions: number): void {
    if (instructions === 0) return
    const f = this.#f
    f.get(this.#budget)
    f.i32(instructions)
    f.op('i32.add')
    f.set(this.#budget)
  }

  /** Pushes the virtual address of code at `pc`, as the block counts. */
  #pushAddress(pc: number): void {
    const f = this.#f
    if (this.#base === undefined || pc !== 0) f.i32(pc | 0)
    if (this.#base === undefined) return
    f.get(this.#base)
    if (pc !== 0) f.op('i32.add')
  }

  #storePc(push: () => void): void {
    this.#f.i32(0)
    push()
    this.#f.memory('i32.store', this.#layout.pc)
  }

  #storeReason(reason: number): void {
    this.#f.i32(0)
    this.#f.i32(reason)
    this.#f.memory('i32.store', this.#layout.reason)
  }

  /** Leaves, with state's PC set. */
  #leave(reason: number): void {
    if (reason !== Reason.run) this.#storeReason(reason)
    this.#f.br(this.#leaving)
  }

  #leaveFor(pc: number, reason: number): void {
    this.#writeBack()
    this.#storePc(() => this.#pushAddress(pc))
    this.#leave(reason)
  }

  /**
   * Leaves with the state before the instruction that operation `index` belongs to; from a delay slot before its branch,
   * which does the same again (`canRepeatBranch`).
   */
  #leaveBefore(index: number, to = this.#interpret): void {
    const f = this.#f
    const { pc, number } = placeBefore(this.#block, index)
    this.#writeBack()
    this.#pushAddress(pc)
    f.set(this.#pc)
    f.i32(this.#count - number)
    f.set(this.#unspent)
    f.br(to)
  }

  #isByCall(index: number): boolean {
    return this.#byCall.size > 0 && this.#byCall.has(placeBefore(this.#block, index).pc)
  }

  /** Stores registers once for all ways on from here, unless one is the block's own loop, which needs none. */
  #settle(): void {
    if (this.#again !== undefined) return
    this.#writeBack()
    this.#dirty.clear()
  }

  /** Goes on at `pc`, in this region or outside. */
  #goTo(pc: number): void {
    const f = this.#f
    const number = this.#byPc.get(pc | 0)
    if (number === undefined) {
      this.#leaveFor(pc, Reason.run)
      return
    }
    if (number === this.#number && this.#again !== undefined) {
      // Here and not at the top, where what each round puts before it gets it would have to be kept from the round before.
      this.#spend()
      f.br(this.#again)
      return
    }
    this.#writeBack()
    this.#cross(pc, number)
    if (number > this.#number) {
      f.br(this.#labels[number]!)
    } else {
      this.#waitOn(pc)
      f.i32(number)
      f.set(this.#next)
      f.br(this.#top)
    }
  }

  /** Before a jump to block `number` at `pc`: if that is of another page, the page must be where it was. */
  #cross(pc: number, number: number): void {
    const pages = this.#pages
    if (pages === undefined || pc >>> PAGE_SHIFT === this.#block.pc >>> PAGE_SHIFT) return
    const f = this.#f
    const bit = pages.bits.get(pc >>> PAGE_SHIFT)!
    f.get(pages.valid)
    f.i32(bit)
    f.op('i32.and')
    f.op('i32.eqz')
    const isNew = f.if(undefined, false)
    this.#pushAddress(pc)
    f.set(this.#pc)
    f.i32(number)
    f.set(this.#next)
    f.i32(bit)
    f.set(pages.wanted)
    f.br(this.#crossing)
    f.end(isNew)
  }

  /**
   * `wanted` is the bit of the page at `#pc`. If it is what it was, goes on with block `#next`; else leaves, and what is there is found
   * as ever.
   */
  #emitCrossing({ record, valid, wanted }: Pages): void {
    const f = this.#f
    const entry = f.local('i32')
    f.get(this.#pc)
    f.i32(PAGE_SHIFT - CODE_PAGES.shift)
    f.op('i32.shr_u')
    f.i32((CODE_PAGES.entries - 1) << CODE_PAGES.shift)
    f.op('i32.and')
    f.tee(entry)
    f.memory('i32.load', CODE_PAGES.base)
    f.get(this.#pc)
    f.i32(-PAGE_BYTES)
    f.op('i32.and')
    f.i32(0)
    f.memory('i32.load', this.#layout.codeContext)
    f.op('i32.or')
    f.op('i32.eq')
    f.get(entry)
    f.memory('i32.load', CODE_PAGES.base + 4)
    f.get(record)
    f.get(wanted)
    f.op('i32.ctz')
    f.i32(2)
    f.op('i32.shl')
    f.op('i32.add')
    f.memory('i32.load', this.#layout.regionBase + REGION_RECORD.pages)
    f.op('i32.eq')
    f.op('i32.and')
    const isThere = f.if()
    f.get(valid)
    f.get(wanted)
    f.op('i32.or')
    f.set(valid)
    f.br(this.#top)
    f.end(isThere)
    this.#storePc(() => f.get(this.#pc))
    f.br(this.#leaving)
  }

  #emitExit(): void {
    const f = this.#f
    const { exit } = this.#block
    this.#noteCall()
    if (exit.kind === 'jump') {
      this.#goTo(exit.target)
    } else if (exit.kind === 'branch') {
      this.#push(exit.condition)
      this.#settle()
      const taken = f.if()
      this.#goTo(exit.taken)
      f.end(taken)
      this.#goTo(exit.fallThrough)
    } else if (exit.kind === 'indirect') {
      this.#emitIndirect(exit.target)
    } else if (exit.kind === 'look') {
      this.#leaveFor(exit.target, Reason.look)
    } else if (exit.kind === 'lookAtState') {
      this.#settle()
      this.#leave(Reason.look)
    } else assert.fail(`a translated block does not end in ${exit.kind}`)
  }

  /** Returns to where this region calls from stay in it. */
  #emitIndirect(target: Value): void {
    const f = this.#f
    this.#push(target)
    f.set(this.#pc)
    this.#settle()
    this.#emitReturn()
    for (const place of this.#likelyTargets()) {
      f.get(this.#pc)
      this.#pushAddress(place)
      f.op('i32.eq')
      const here = f.if()
      this.#goTo(place)
      f.end(here)
    }
    this.#storePc(() => f.get(this.#pc))
    this.#leave(Reason.run)
  }

  /** Where an indirect jump may go on in this region, the likeliest first. */
  #likelyTargets(): Iterable<number> {
    const { target } = this.#blocks[this.#number]!
    const places = new Set<number>()
    if (this.#byPc.has(target)) places.add(target)
    if (this.#pages !== undefined) return places
    for (const after of this.#returns) if (after !== undefined && this.#byPc.has(after)) places.add(after)
    return places
  }

  /** In a region of several pages a call notes where it returns to, for there are many. */
  #noteCall(): void {
    const after = this.#returns[this.#number]
    if (this.#pages === undefined || after === undefined) return
    const number = this.#byPc.get(after)
    // Of the next page it is not known where it is.
    if (number === undefined || after >>> PAGE_SHIFT !== this.#block.pc >>> PAGE_SHIFT) return
    const f = this.#f
    const [latest, before] = this.#pages.calls
    for (const local of ['pc', 'number'] as const) {
      f.get(latest[local])
      f.set(before[local])
    }
    this.#pushAddress(after)
    f.set(latest.pc)
    f.i32(number)
    f.set(latest.number)
  }

  /** Returns from the call that was noted last. Its page is where it was: nothing can have changed that since. */
  #emitReturn(): void {
    // A call may be of what it was returned to.
    if (this.#pages === undefined || this.#returns[this.#number] !== undefined) return
    const f = this.#f
    const [latest, before] = this.#pages.calls
    f.get(this.#pc)
    f.get(latest.pc)
    f.op('i32.eq')
    const returns = f.if()
    f.get(latest.number)
    f.set(this.#next)
    for (const local of ['pc', 'number'] as const) {
      f.get(before[local])
      f.set(latest[local])
    }
    f.i32(NOWHERE)
    f.set(before.pc)
    f.br(this.#top)
    f.end(returns)
  }
}

/** Of a region of several pages, in locals. */
interface Pages {
  /** By page, as its blocks count: its bit in `valid`. */
  bits: ReadonlyMap<number, number>
  /** The region's `REGION_RECORD`, from the first one. */
  record: Local
  /** The pages that have been found where they were. */
  valid: Local
  /** The bit of the one that is looked up. */
  wanted: Local
  /** Where the last calls return to, the latest first. */
  calls: readonly [Call, Call]
}

interface Call {
  /** The virtual address. */
  pc: Local
  /** Which block that is. */
  number: Local
}

/** Where a whole block returns to that ends in a call, as it counts; undefined: it is none. */
function returnOf({ block, count }: RegionBlock): number | undefined {
  const { exit, pc, length, instructions } = block
  const after = (pc + length) | 0
  const mayCall = count === instructions.length && (exit.kind === 'jump' || exit.kind === 'indirect')
  return mayCall && putsConstant(block, after) ? after : undefined
}

/** Blocks of a loop that waits for a device, at most. */
const MAX_WAITING_BLOCKS = 8

/**
 * Whether a region of these blocks may be a loop that waits for a device: a short one, at fixed addresses, which calls for a
 * load, for all stores, and for nothing else.
 */
export function mayWait(blocks: readonly RegionBlock[], byCall: ReadonlySet<number>): boolean {
  if (byCall.size === 0 || blocks.length > MAX_WAITING_BLOCKS || blocks[0]!.block.relative) return false
  let loads = false
  for (const { block } of blocks) {
    for (const [index, op] of block.ops.entries()) {
      if (op.op === 'call') return false
      if (op.op !== 'load' && op.op !== 'store') continue
      const isCalled = byCall.has(placeBefore(block, index).pc)
      if (op.op === 'store' && !isCalled) return false
      loads ||= op.op === 'load' && isCalled
    }
  }
  return loads
}

/** The instruction that operation `index` belongs to; from a delay slot its branch. */
function placeBefore({ instructions }: Block, index: number): { pc: number; number: number } {
  const number = instructionOf(instructions, index)
  const place = instructions[number]!.delaySlot ? number - 1 : number
  return { pc: instructions[place]!.pc, number: place }
}

function instructionOf(instructions: Block['instructions'], index: number): number {
  return instructions.findLastIndex(({ start }) => start <= index)
}

function loopsToItself({ exit, pc }: Block): boolean {
  if (exit.kind === 'jump') return (exit.target | 0) === (pc | 0)
  return exit.kind === 'branch' && ((exit.taken | 0) === (pc | 0) || (exit.fallThrough | 0) === (pc | 0))
}

/** Whether `block` leaves `value` in a register: the mark of a call. */
function putsConstant({ ops }: Block, value: number): boolean {
  return ops.some((op) => {
    if (op.op !== 'put') return false
    const put = ops[op.value]!
    if (put.op === 'address') return put.offset === value
    return put.op === 'const' && put.type === 'i32' && put.value === value
  })
}
