/**
 * The jump cache's look-up as WebAssembly: what `JumpCache.find` does with what `jumpContext` gives.
 */
import type { FixedAddresses } from './isa/isa.ts'
import { CODE_TAG, JUMP_CACHE } from './jump-cache.ts'
import { PAGE_SHIFT, SCRATCH } from './memory.ts'
import type { FunctionBody, Label, Local } from './wasm/function.ts'

export interface FindOptions {
  /** The program counter in guest state, as a byte offset in CPU memory. */
  pc: number
  fixed: FixedAddresses
}

/** entry = place in the code arena, in words, of the code at state's PC; goes to `missing` if it is not known. */
export function emitFindCode(
  f: FunctionBody,
  { pc: pcOffset, fixed }: FindOptions,
  entry: Local,
  missing: Label,
): void {
  const pc = f.local('i32')
  const slot = f.local('i32')
  const context = f.local('i32')
  // slot = 16 * (group << groupShift | mixed low bits)
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
  f.get(pc)
  f.i32(PAGE_SHIFT - JUMP_CACHE.groupShift)
  f.op('i32.shr_u')
  f.i32(JUMP_CACHE.groupMask << JUMP_CACHE.groupShift)
  f.op('i32.and')
  f.op('i32.or')
  f.i32(JUMP_CACHE.entryShift)
  f.op('i32.shl')
  f.tee(slot)
  f.memory('i32.load', JUMP_CACHE.base)
  f.get(pc)
  f.op('i32.ne')
  f.brIf(missing)
  f.get(slot)
  f.memory('i32.load', JUMP_CACHE.base + 4)
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
  f.op('i32.ne')
  f.brIf(missing)
  f.get(slot)
  f.memory('i32.load', JUMP_CACHE.base + 8)
  f.set(entry)
}
