/**
 * The jump cache's look-up as WebAssembly: what `JumpCache.find` does with what `jumpContext` gives.
 */
import type { FixedAddresses } from './isa/isa.ts'
import { CODE_TAG, JUMP_CACHE } from './jump-cache.ts'
import { SCRATCH } from './memory.ts'
import type { FunctionBody, Label, Local } from './wasm/function.ts'

export interface FindOptions {
  /** The program counter in guest state, as a byte offset in CPU memory. */
  pc: number
  fixed: FixedAddresses
}

/** entry = place in the code arena, in words, of the code at state's PC; goes to `missing` if it is not known. */
export function emitFindCode(f: FunctionBody, options: FindOptions, entry: Local, missing: Label): void {
  const slot = f.local('i32')
  emitFindSlot(f, options, slot, missing)
  f.get(slot)
  f.memory('i32.load', JUMP_CACHE.base + 4 * JUMP_CACHE.entryWord)
  f.set(entry)
}

/** slot = byte offset in the jump cache of what is known of the code at state's PC; goes to `missing` if nothing is. */
export function emitFindSlot(f: FunctionBody, { pc: pcOffset, fixed }: FindOptions, slot: Local, missing: Label): void {
  const pc = f.local('i32')
  const context = f.local('i32')
  // slot = 16 * (place in its page ^ page)
  const [one, other] = JUMP_CACHE.shifts
  f.i32(0)
  f.memory('i32.load', pcOffset)
  f.tee(pc)
  f.i32(one)
  f.op('i32.shr_u')
  f.get(pc)
  f.i32(other)
  f.op('i32.shr_u')
  f.op('i32.xor')
  f.i32(JUMP_CACHE.entryMask)
  f.op('i32.and')
  f.i32(JUMP_CACHE.entryShift)
  f.op('i32.shl')
  f.set(slot)
  // context = what of the code's context matters at pc
  f.i32(0)
  f.memory('i32.load', SCRATCH.codeContext)
  f.tee(context)
  f.i32(fixed.contextMask | CODE_TAG)
  f.op('i32.and')
  f.get(context)
  f.get(pc)
  f.i32(fixed.mask)
  f.op('i32.and')
  f.i32(fixed.value)
  f.op('i32.eq')
  f.op('select')
  f.set(context)
  const found = f.block()
  const notFirst = f.block()
  emitMatch(f, slot, pc, context, notFirst)
  f.br(found)
  f.end(notFirst)
  f.get(slot)
  f.i32(1 << JUMP_CACHE.entryShift)
  f.op('i32.xor')
  f.set(slot)
  emitMatch(f, slot, pc, context, missing)
  f.end(found)
}

/** Goes to `otherwise` unless the entry at `slot` is of `pc` in `context`. */
function emitMatch(f: FunctionBody, slot: Local, pc: Local, context: Local, otherwise: Label): void {
  for (const [word, wanted] of [pc, context].entries()) {
    f.get(slot)
    f.memory('i32.load', JUMP_CACHE.base + 4 * word)
    f.get(wanted)
    f.op('i32.ne')
    f.brIf(otherwise)
  }
}
