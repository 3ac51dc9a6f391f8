/**
 * RAM that code in the mode at hand may use without asking for a translation (`Isa.direct`), as the hot loop uses it: the
 * soft TLB tells kernel addresses of one address space from those of another, and so forgets them where processes take turns.
 * And what the loop calls for an access that misses the soft TLB, or for a helper, before JavaScript:
 *
 *     load(address, kind), store(address, kind, slot): at the soft TLB's second way
 *     helper(number, arguments): the usual case of one that is about direct RAM
 *
 * They give 1, or 0: a trap.
 */
import type { InlineCall, InlineRam } from '../isa/inline-call.ts'
import { CODE_TAG } from '../jump-cache.ts'
import { BACKING_BASE, FREE_TO_WRITE, PAGE_SHIFT, SCRATCH, SECOND_WAY_BASE } from '../memory.ts'
import { alignOrLeave, loadInWay, storeInWay, tlbEntryOf } from '../translator/slow-access.ts'
import { FunctionBody, type Label, type Local } from '../wasm/function.ts'

export interface DirectAccessOptions {
  /** Where `Isa.direct` begins. As much of it as may be used is in `SCRATCH.directBytes`. */
  direct: number
  /** And its physical address. */
  physical: number
  /** Of backing pages, as a byte offset in CPU memory. */
  flagBase: number
  /** Of the code chunks. */
  chunkBase: number
  /** `Isa.ramHelpers`. */
  ramHelpers: ReadonlyMap<number, InlineCall>
}

/** `load`: the number of the function in JavaScript; so below. */
export function secondLoad(load: number): FunctionBody {
  const f = new FunctionBody(['i32', 'i32'])
  const address = f.parameter(0)
  const kind = f.parameter(1)
  const slow = f.block()
  const aligned = alignOrLeave(f, address, kind, slow)
  const tlbEntry = tlbEntryOf(f, aligned)
  loadInWay(f, SECOND_WAY_BASE, { aligned, context: contextNow(f), tlbEntry, byte: f.local('i32'), kind, brings: true })
  f.end(slow)
  f.get(address)
  f.get(kind)
  f.call(load)
  return f
}

export function secondStore({ chunkBase }: DirectAccessOptions, store: number): FunctionBody {
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
  const tlbEntry = tlbEntryOf(f, aligned)
  const value = f.local('i32')
  f.get(slot)
  f.memory('i32.load', 0)
  f.set(value)
  const byte = f.local('i32')
  const access = { aligned, context: contextNow(f), tlbEntry, byte, kind, value, brings: true }
  storeInWay(f, SECOND_WAY_BASE, access, chunkBase, slow)
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

function ramOf(f: FunctionBody, { direct, physical, flagBase }: DirectAccessOptions, slow: Label): InlineRam {
  const byteOf = (address: Local): Local => {
    f.get(address)
    pushIsDirect(f, address, direct, 3)
    f.op('i32.eqz')
    f.brIf(slow, false)
    pushDirectHost(f, address)
    const byte = f.local('i32')
    f.set(byte)
    return byte
  }
  return {
    pushWord(address) {
      f.get(byteOf(address))
      f.memory('i32.load', 0)
    },
    putWord(address, value) {
      const byte = byteOf(address)
      pushTakesMoreThanStore(f, byte, flagBase)
      f.brIf(slow, false)
      f.get(byte)
      f.get(value)
      f.memory('i32.store', 0)
    },
    pushPhysical(address) {
      f.get(address)
      f.i32((physical - direct) | 0)
      f.op('i32.add')
    },
  }
}

/** Pushes whether `address`, which is on the stack, is of RAM that is direct, and none of `alignmentBits` is set in it. */
export function pushIsDirect(f: FunctionBody, address: Local, direct: number, alignmentBits: number): void {
  f.i32(direct)
  f.op('i32.sub')
  f.i32(0)
  f.memory('i32.load', SCRATCH.directBytes)
  f.op('i32.lt_u')
  if (alignmentBits === 0) return
  f.get(address)
  f.i32(alignmentBits)
  f.op('i32.and')
  f.op('i32.eqz')
  f.op('i32.and')
}

/** Pushes where `address`, which is direct, is in CPU memory. */
export function pushDirectHost(f: FunctionBody, address: Local): void {
  f.get(address)
  f.i32(0)
  f.memory('i32.load', SCRATCH.directAddend)
  f.op('i32.add')
}

/** Pushes whether the page at `byte` is not free to write. */
export function pushTakesMoreThanStore(f: FunctionBody, byte: Local, flagBase: number): void {
  f.get(byte)
  f.i32(BACKING_BASE)
  f.op('i32.sub')
  f.i32(PAGE_SHIFT)
  f.op('i32.shr_u')
  f.memory('i32.load8_u', flagBase)
  f.i32(FREE_TO_WRITE)
  f.op('i32.ne')
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
