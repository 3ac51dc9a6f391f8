/**
 * The module that all translated code shares. It takes execution from region to region without JavaScript in between,
 * and has the second look at loads and stores that were not done where they stand (`slow-access.ts`):
 *
 *     dispatch(entry, budget, context) -> budget left
 *       region = what the `translated` micro-op at `entry` names
 *       loop:
 *         count this entry; if the region was so many times entered from here, say so
 *         run it; count what it does, if that is asked for
 *         if it left for anything but Reason.run: return
 *         find the pc in the jump cache; if it is not there: return
 *         region = what is noted there, or what the `translated` at its place names, which is noted
 *         if there is no `translated` at its place: that place, Reason.entry; return
 *
 *     load(address, kind, context), store(address, value, kind, context) -> done
 */

import { emitFindSlot, type FindOptions } from '../find-code.ts'
import { ENTRY_REGION, REGION_SHIFT, TRANSLATED } from '../interpreter/code-cache.ts'
import { JUMP_CACHE } from '../jump-cache.ts'
import { REGION_COUNTS, SCRATCH } from '../memory.ts'
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
  /** Of the regions' counts; */
  regionBase: number
  /** whether their instructions are counted. */
  countInstructions: boolean
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
  const { arenaBase, regionBase, countInstructions } = options
  const f = new FunctionBody(REGION_SIGNATURE.parameters)
  const entry = f.parameter(0)
  const budget = f.parameter(1)
  const context = f.parameter(2)
  const begun = f.local('i32')
  const before = f.local('i32')
  const region = f.local('i32')
  const slot = f.local('i32')
  const counts = f.local('i32')
  f.get(budget)
  f.set(begun)
  f.i32(0)
  f.i32(Reason.run)
  f.memory('i32.store', SCRATCH.reason)
  pushEntryWord(f, arenaBase, entry, ENTRY_REGION)
  f.set(region)
  const leave = f.block()
  const again = f.loop()
  // counts = those of its number, region >>> REGION_SHIFT
  f.get(region)
  f.i32(REGION_SHIFT - REGION_COUNTS.shift)
  f.op('i32.shr_u')
  f.i32(-1 << REGION_COUNTS.shift)
  f.op('i32.and')
  f.set(counts)
  emitCrowd(f, regionBase, counts, entry)
  // budget = regions[number](block, budget, context)
  f.get(region)
  f.i32((1 << REGION_SHIFT) - 1)
  f.op('i32.and')
  f.get(budget)
  f.tee(before)
  f.get(context)
  f.get(region)
  f.i32(REGION_SHIFT)
  f.op('i32.shr_u')
  f.callIndirect(REGION_TYPE)
  f.set(budget)
  if (countInstructions) emitInstructions(f, regionBase, counts, before, budget)
  f.i32(0)
  f.memory('i32.load', SCRATCH.reason)
  f.brIf(leave)
  emitFindSlot(f, options, slot, leave)
  f.get(slot)
  f.memory('i32.load', JUMP_CACHE.base + 4 * JUMP_CACHE.entryWord)
  f.set(entry)
  f.get(slot)
  f.memory('i32.load', JUMP_CACHE.base + 4 * JUMP_CACHE.regionWord)
  f.tee(region)
  f.brIf(again)
  // Not looked up since it was found last.
  pushEntryWord(f, arenaBase, entry, 0)
  f.i32(TRANSLATED)
  f.op('i32.eq')
  const isTranslated = f.if()
  f.get(slot)
  pushEntryWord(f, arenaBase, entry, ENTRY_REGION)
  f.tee(region)
  f.memory('i32.store', JUMP_CACHE.base + 4 * JUMP_CACHE.regionWord)
  f.br(again)
  f.end(isTranslated)
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

/** instructions += before - budget */
function emitInstructions(f: FunctionBody, regionBase: number, counts: Local, before: Local, budget: Local): void {
  const offset = regionBase + REGION_COUNTS.instructions
  f.get(counts)
  f.get(counts)
  f.memory('i64.load', offset)
  f.get(before)
  f.get(budget)
  f.op('i32.sub')
  f.op('i64.extend_i32_s')
  f.op('i64.add')
  f.memory('i64.store', offset)
}

/** left--; says so when none is */
function emitCrowd(f: FunctionBody, regionBase: number, counts: Local, entry: Local): void {
  const left = f.local('i32')
  const offset = regionBase + REGION_COUNTS.left
  f.get(counts)
  f.get(counts)
  f.memory('i32.load', offset)
  f.i32(1)
  f.op('i32.sub')
  f.tee(left)
  f.memory('i32.store', offset)
  f.get(left)
  f.op('i32.eqz')
  const isCrowded = f.if(undefined, false)
  f.get(entry)
  f.call(CROWDED)
  f.end(isCrowded)
}

/** Pushes a word of what stands at `entry`. */
function pushEntryWord(f: FunctionBody, arenaBase: number, entry: Local, word: number): void {
  f.get(entry)
  f.i32(2)
  f.op('i32.shl')
  f.memory('i32.load', arenaBase + 4 * word)
}
