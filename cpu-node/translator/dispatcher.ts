/**
 * The module that all translated code shares. It takes execution from region to region without JavaScript in between,
 * and has the second look at loads and stores that were not done where they stand (`slow-access.ts`):
 *
 *     dispatch(entry, budget, context) -> budget left
 *       loop:
 *         count this entry; if it was so many times entered from here, say so
 *         run the region that the `translated` micro-op at `entry` names; count what it does, if that is asked for
 *         if it left for anything but Reason.run: return
 *         find the pc in the jump cache; if it is not there: return
 *         if there is no `translated` at its place: that place, Reason.entry; return
 *
 *     load(address, kind, context), store(address, value, kind, context) -> done
 */

import { emitFindCode, type FindOptions } from '../find-code.ts'
import { REGION_NUMBER, TRANSLATED } from '../interpreter/code-cache.ts'
import { SCRATCH } from '../memory.ts'
import { FunctionBody, type Local } from '../wasm/function.ts'
import { encodeModule } from '../wasm/module.ts'
import { LOAD_SIGNATURE, REGION_SIGNATURE, STORE_SIGNATURE } from './layout.ts'
import { Reason } from './reason.ts'
import { slowAccessLoad, slowAccessStore } from './slow-access.ts'

export interface DispatcherOptions extends FindOptions {
  memoryPages: number
  tableEntries: number
  /** Of the code arena and of the code chunks in CPU memory, as byte offsets; */
  arenaBase: number
  chunkBase: number
  /** Of the instructions that each region has done, where those are to be counted. */
  regionBase: number | undefined
}

const SLOW_LOAD = 0
const SLOW_STORE = 1
const CROWDED = 2
const CROWDED_SIGNATURE = { parameters: ['i32'], results: [] } as const

export function encodeDispatcher(options: DispatcherOptions): Uint8Array {
  return encodeModule({
    memoryPages: options.memoryPages,
    tableEntries: options.tableEntries,
    imports: [
      { name: 'slowLoad', signature: LOAD_SIGNATURE },
      { name: 'slowStore', signature: STORE_SIGNATURE },
      { name: 'crowded', signature: CROWDED_SIGNATURE },
    ],
    functions: [
      { name: 'dispatch', signature: REGION_SIGNATURE, body: dispatch(options) },
      { name: 'load', signature: LOAD_SIGNATURE, body: slowAccessLoad(options.fixed, SLOW_LOAD) },
      {
        name: 'store',
        signature: STORE_SIGNATURE,
        body: slowAccessStore(options.chunkBase, options.fixed, SLOW_STORE),
      },
    ],
  })
}

/** Types are numbered as the functions are: imports first. */
const REGION_TYPE = 3

function dispatch(options: DispatcherOptions): FunctionBody {
  const { arenaBase, regionBase } = options
  const f = new FunctionBody(REGION_SIGNATURE.parameters)
  const entry = f.parameter(0)
  const budget = f.parameter(1)
  const context = f.parameter(2)
  const begun = f.local('i32')
  const before = f.local('i32')
  const number = f.local('i32')
  f.get(budget)
  f.set(begun)
  const leave = f.block()
  const again = f.loop()
  f.i32(0)
  f.i32(Reason.run)
  f.memory('i32.store', SCRATCH.reason)
  emitCount(f, arenaBase, entry)
  // budget = regions[words[entry + REGION_NUMBER]](words[entry + REGION_NUMBER + 1], budget, context)
  pushArenaAddress(f, entry)
  f.memory('i32.load', arenaBase + 4 * (REGION_NUMBER + 1))
  f.get(budget)
  f.tee(before)
  f.get(context)
  pushArenaAddress(f, entry)
  f.memory('i32.load', arenaBase + 4 * REGION_NUMBER)
  f.tee(number)
  f.callIndirect(REGION_TYPE)
  f.set(budget)
  if (regionBase !== undefined) emitInstructions(f, regionBase, number, before, budget)
  f.i32(0)
  f.memory('i32.load', SCRATCH.reason)
  f.brIf(leave)
  emitFindCode(f, options, entry, leave)
  pushArenaAddress(f, entry)
  f.memory('i32.load', arenaBase)
  f.i32(TRANSLATED)
  f.op('i32.eq')
  f.brIf(again)
  f.i32(0)
  f.i32(Reason.entry)
  f.memory('i32.store', SCRATCH.reason)
  f.i32(0)
  f.get(entry)
  f.memory('i32.store', SCRATCH.entry)
  f.end(again)
  f.end(leave)
  f.i32(0)
  f.i32(0)
  f.memory('i64.load', SCRATCH.translated)
  f.get(begun)
  f.get(budget)
  f.op('i32.sub')
  f.op('i64.extend_i32_s')
  f.op('i64.add')
  f.memory('i64.store', SCRATCH.translated)
  f.get(budget)
  return f
}

/** instructions[number] += before - budget */
function emitInstructions(f: FunctionBody, regionBase: number, number: Local, before: Local, budget: Local): void {
  for (let operand = 0; operand < 2; operand++) {
    f.get(number)
    f.i32(3)
    f.op('i32.shl')
  }
  f.memory('f64.load', regionBase)
  f.get(before)
  f.get(budget)
  f.op('i32.sub')
  f.op('f64.convert_i32_s')
  f.op('f64.add')
  f.memory('f64.store', regionBase)
}

/** words[entry + 1]--, which is how often it may be entered before it is crowded */
function emitCount(f: FunctionBody, arenaBase: number, entry: Local): void {
  const left = f.local('i32')
  pushArenaAddress(f, entry)
  pushArenaAddress(f, entry)
  f.memory('i32.load', arenaBase + 4)
  f.i32(1)
  f.op('i32.sub')
  f.tee(left)
  f.memory('i32.store', arenaBase + 4)
  f.get(left)
  f.op('i32.eqz')
  const isCrowded = f.if()
  f.get(entry)
  f.call(CROWDED)
  f.end(isCrowded)
}

function pushArenaAddress(f: FunctionBody, entry: Local): void {
  f.get(entry)
  f.i32(2)
  f.op('i32.shl')
}
