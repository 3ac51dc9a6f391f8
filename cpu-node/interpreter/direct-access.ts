/**
 * What the hot loop calls for an access that misses the soft TLB, or for a helper: a look at the RAM that code in the mode
 * at hand may use without asking for a translation (`Isa.direct`), at the soft TLB's second way, and then JavaScript.
 *
 *     load(address, kind), store(address, kind, slot), helper(number, arguments) -> 1, or 0: a trap
 *
 * The soft TLB tells kernel addresses of one address space from those of another, and forgets them where processes take turns.
 */
import type { InlineCall, InlineRam } from '../isa/inline-call.ts'
import { CODE_TAG } from '../jump-cache.ts'
import { BACKING_BASE, FREE_TO_WRITE, PAGE_SHIFT, SCRATCH, SECOND_WAY_BASE } from '../memory.ts'
import {
  alignOrLeave,
  loadFromMemory,
  loadInWay,
  storeInWay,
  storeToMemory,
  tlbEntryOf,
} from '../translator/slow-access.ts'
import { FunctionBody, type Label, type Local } from '../wasm/function.ts'

export interface DirectAccessOptions {
  /** Where `Isa.direct` begins. As much of it as may be used is in `SCRATCH.directBytes`. */
  direct: number
  /** Of backing pages, as a byte offset in CPU memory. */
  flagBase: number
  /** Of the code chunks. */
  chunkBase: number
  /** `Isa.ramHelpers`. */
  ramHelpers: ReadonlyMap<number, InlineCall>
}

/** `load`: the number of the function in JavaScript; so below. */
export function directLoad({ direct }: DirectAccessOptions, load: number): FunctionBody {
  const f = new FunctionBody(['i32', 'i32'])
  const address = f.parameter(0)
  const kind = f.parameter(1)
  const slow = f.block()
  const aligned = alignOrLeave(f, address, kind, slow)
  const indirect = f.block()
  leaveUnlessDirect(f, aligned, direct, indirect)
  loadFromMemory(f, hostOf(f, aligned), kind)
  f.end(indirect)
  const tlbEntry = tlbEntryOf(f, aligned)
  loadInWay(f, SECOND_WAY_BASE, { aligned, context: contextNow(f), tlbEntry, byte: f.local('i32'), kind, brings: true })
  f.end(slow)
  f.get(address)
  f.get(kind)
  f.call(load)
  return f
}

export function directStore({ direct, flagBase, chunkBase }: DirectAccessOptions, store: number): FunctionBody {
  const f = new FunctionBody(['i32', 'i32', 'i32'])
  const address = f.parameter(0)
  const kind = f.parameter(1)
  const slot = f.parameter(2)
  const slow = f.block()
  // 64 bits are rare enough to leave to JavaScript.
  f.get(kind)
  f.i32(64)
  f.op('i32.and')
  f.brIf(slow, false)
  const aligned = alignOrLeave(f, address, kind, slow)
  const value = f.local('i32')
  f.get(slot)
  f.memory('i32.load', 0)
  f.set(value)
  const indirect = f.block()
  leaveUnlessDirect(f, aligned, direct, indirect)
  const byte = hostOf(f, aligned)
  leaveUnlessFree(f, byte, flagBase, slow)
  storeToMemory(f, byte, value, kind)
  f.i32(1)
  f.op('return')
  f.end(indirect)
  const tlbEntry = tlbEntryOf(f, aligned)
  storeInWay(
    f,
    SECOND_WAY_BASE,
    { aligned, context: contextNow(f), tlbEntry, byte, kind, value, brings: true },
    chunkBase,
    slow,
  )
  f.end(slow)
  f.get(address)
  f.get(kind)
  f.get(slot)
  f.call(store)
  return f
}

export function directHelper(options: DirectAccessOptions, parameters: number, helper: number): FunctionBody {
  const f = new FunctionBody(Array.from({ length: parameters }, () => 'i32'))
  for (const [number, inline] of options.ramHelpers) {
    const slow = f.block()
    f.get(f.parameter(0))
    f.i32(number)
    f.op('i32.ne')
    f.brIf(slow)
    emitRamHelper(f, inline, options, parameters, slow)
    f.i32(1)
    f.op('return')
    f.end(slow)
  }
  for (let index = 0; index < parameters; index++) f.get(f.parameter(index))
  f.call(helper)
  return f
}

/** The usual case of a helper, with its value in `slowValue`. */
function emitRamHelper(
  f: FunctionBody,
  inline: InlineCall,
  options: DirectAccessOptions,
  parameters: number,
  slow: Label,
): void {
  const inputs = inline.reads.map(({ offset }) => {
    const input = f.local('i32')
    f.i32(0)
    f.memory('i32.load', offset)
    f.set(input)
    return input
  })
  const result = f.local('i32')
  const outputs = inline.emit({
    f,
    inputs,
    result,
    ram: ramOf(f, options, slow),
    args: Array.from({ length: parameters - 1 }, (_, index) => f.parameter(index + 1)),
    slow,
    local: (type) => f.local(type),
  })
  for (const [index, { offset }] of inline.writes.entries()) {
    f.i32(0)
    f.get(outputs[index]!)
    f.memory('i32.store', offset)
  }
  f.i32(0)
  f.get(result)
  f.memory('i32.store', SCRATCH.slowValue)
}

function ramOf(f: FunctionBody, { direct, flagBase }: DirectAccessOptions, slow: Label): InlineRam {
  const byteOf = (distance: Local): Local => {
    f.get(distance)
    f.i32(3)
    f.op('i32.and')
    f.brIf(slow, false)
    const address = f.local('i32')
    f.get(distance)
    f.i32(direct)
    f.op('i32.add')
    f.set(address)
    leaveUnlessDirect(f, address, direct, slow)
    return hostOf(f, address)
  }
  return {
    pushWord(distance) {
      f.get(byteOf(distance))
      f.memory('i32.load', 0)
    },
    putWord(distance, value) {
      const byte = byteOf(distance)
      leaveUnlessFree(f, byte, flagBase, slow)
      f.get(byte)
      f.get(value)
      f.memory('i32.store', 0)
    },
  }
}

/** The soft TLB's, of the code that runs. */
function contextNow(f: FunctionBody): Local {
  const context = f.local('i32')
  f.i32(0)
  f.memory('i32.load', SCRATCH.codeContext)
  f.i32(~CODE_TAG)
  f.op('i32.and')
  f.set(context)
  return context
}

function leaveUnlessDirect(f: FunctionBody, address: Local, direct: number, slow: Label): void {
  f.get(address)
  f.i32(direct)
  f.op('i32.sub')
  f.i32(0)
  f.memory('i32.load', SCRATCH.directBytes)
  f.op('i32.ge_u')
  f.brIf(slow, false)
}

/** Where `address` is in CPU memory. */
function hostOf(f: FunctionBody, address: Local): Local {
  const byte = f.local('i32')
  f.get(address)
  f.i32(0)
  f.memory('i32.load', SCRATCH.directAddend)
  f.op('i32.add')
  f.set(byte)
  return byte
}

/** Goes to `slow` where a store takes more than to store. */
function leaveUnlessFree(f: FunctionBody, byte: Local, flagBase: number, slow: Label): void {
  f.get(byte)
  f.i32(BACKING_BASE)
  f.op('i32.sub')
  f.i32(PAGE_SHIFT)
  f.op('i32.shr_u')
  f.memory('i32.load8_u', flagBase)
  f.i32(FREE_TO_WRITE)
  f.op('i32.ne')
  f.brIf(slow, false)
}
