/**
 * LL and SC without a call, where the address is in kseg0 and of RAM, little endian. As `Mips` has them: SC goes by LLbit alone.
 */
import assert from 'node:assert/strict'
import type { FunctionBody, Local } from '../../wasm/function.ts'
import type { Cell, InlineBody, InlineCall } from '../inline-call.ts'
import { LL_ADDR, LL_BIT } from './state.ts'

const KSEG0 = 0x8000_0000 | 0
const LL_BIT_CELL: Cell = { type: 'i32', offset: LL_BIT }
/** Of an address in kseg0 is the physical one, in units of 16 bytes. */
const LL_ADDR_CELL: Cell = { type: 'i32', offset: LL_ADDR }

export const loadLinked: InlineCall = {
  usesRam: true,
  reads: [],
  writes: [LL_BIT_CELL, LL_ADDR_CELL],
  emit(to) {
    const { f, ram, result } = to
    assert(ram !== undefined && result !== undefined)
    const physical = physicalOf(to)
    ram.pushWord(physical)
    f.set(result)
    f.get(physical)
    f.i32(4)
    f.op('i32.shr_u')
    const address = setNew(to)
    return [constant(to, 1), address]
  },
}

export const storeConditional: InlineCall = {
  usesRam: true,
  reads: [LL_BIT_CELL],
  writes: [LL_BIT_CELL],
  emit(to) {
    const { f, inputs, ram, result, slow, args } = to
    assert(ram !== undefined && result !== undefined && args[1] !== undefined)
    f.get(inputs[0]!)
    f.op('i32.eqz')
    f.brIf(slow, false)
    ram.putWord(physicalOf(to), args[1])
    f.i32(1)
    f.set(result)
    return [constant(to, 0)]
  },
}

/** Beyond RAM for an address that is not in kseg0. */
function physicalOf(to: InlineBody): Local {
  assert(to.args[0] !== undefined)
  to.f.get(to.args[0])
  to.f.i32(KSEG0)
  to.f.op('i32.xor')
  return setNew(to)
}

function constant(to: InlineBody, value: number): Local {
  to.f.i32(value)
  return setNew(to)
}

function setNew({ f, local }: { f: FunctionBody; local: InlineBody['local'] }): Local {
  const value = local('i32')
  f.set(value)
  return value
}
