/**
 * LL and SC without a call, where the address is of RAM, little endian. As `Mips` has them: SC goes by LLbit alone.
 */
import assert from 'node:assert/strict'
import type { FunctionBody, Local } from '../../wasm/function.ts'
import type { Cell, InlineBody, InlineCall } from '../inline-call.ts'
import { LL_ADDR, LL_BIT } from './state.ts'

const LL_BIT_CELL: Cell = { type: 'i32', offset: LL_BIT }
/** A physical address in units of 16 bytes. */
const LL_ADDR_CELL: Cell = { type: 'i32', offset: LL_ADDR }

export const loadLinked: InlineCall = {
  reads: [],
  writes: [LL_BIT_CELL, LL_ADDR_CELL],
  emit(to) {
    const { f, ram, result, args } = to
    assert(result !== undefined && args[0] !== undefined)
    ram.pushWord(args[0])
    f.set(result)
    ram.pushPhysical(args[0])
    f.i32(4)
    f.op('i32.shr_u')
    const address = setNew(to)
    return [constant(to, 1), address]
  },
}

export const storeConditional: InlineCall = {
  reads: [LL_BIT_CELL],
  writes: [LL_BIT_CELL],
  emit(to) {
    const { f, inputs, ram, result, slow, args } = to
    assert(result !== undefined && args[0] !== undefined && args[1] !== undefined)
    f.get(inputs[0]!)
    f.op('i32.eqz')
    f.brIf(slow, false)
    ram.putWord(args[0], args[1])
    f.i32(1)
    f.set(result)
    return [constant(to, 0)]
  },
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
