/**
 * The module that all translated code shares. It takes execution from region to region without JavaScript in between,
 * and has the second look at loads and stores that were not done where they stand (`slow-access.ts`):
 *
 *     dispatch(entry, budget, context) -> budget left
 *       region = what the `translated` micro-op at `entry` names
 *       loop:
 *         now and then count the entry; if the region was so many times entered from here, say so
 *         run it; if that is asked for, count its instructions, where they are few now and then
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
import { REGION_RECORD, SCRATCH } from '../memory.ts'
import { FunctionBody, type Local } from '../wasm/function.ts'
import { encodeModule } from '../wasm/module.ts'
import { LOAD_SIGNATURE, REGION_SIGNATURE, STORE_SIGNATURE } from './layout.ts'
import { Reason } from './reason.ts'
import { pushRegionRecord } from './region-record.ts'
import { slowAccessLoad, slowAccessStore } from './slow-access.ts'

export interface DispatcherOptions extends FindOptions {
  memoryPages: number
  tableEntries: number
  /** Of the code arena and of the code chunks in CPU memory, as byte offsets; */
  arenaBase: number
  chunkBase: number
  /** Of the regions' records; */
  regionBase: number
  /** whether their instructions are counted. */
  countInstructions: boolean
}

/** Of so many entries of regions that do little, one is counted: what is counted is not in the host's nearest cache. */
export const SAMPLED_ENTRIES = 61
const MANY_INSTRUCTIONS = 4096
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
  const spent = f.local('i32')
  const region = f.local('i32')
  const slot = f.local('i32')
  const untilSample = f.local('i32')
  f.get(budget)
  f.set(begun)
  f.i32(0)
  f.memory('i32.load', SCRATCH.untilSample)
  f.set(untilSample)
  f.i32(0)
  f.i32(Reason.run)
  f.memory('i32.store', SCRATCH.reason)
  pushEntryWord(f, arenaBase, entry, ENTRY_REGION)
  f.set(region)
  const leave = f.block()
  const again = f.loop()
  // Of entries some are counted.
  f.get(untilSample)
  f.i32(1)
  f.op('i32.sub')
  f.tee(untilSample)
  f.op('i32.eqz')
  const isSample = f.if(undefined, false)
  f.i32(SAMPLED_ENTRIES)
  f.set(untilSample)
  emitCrowd(f, regionBase, region, entry)
  f.end(isSample)
  // spent = budget; budget = regions[region >>> REGION_SHIFT](region, budget, context); spent -= budget
  f.get(region)
  f.get(budget)
  f.tee(spent)
  f.get(context)
  f.get(region)
  f.i32(REGION_SHIFT)
  f.op('i32.shr_u')
  f.callIndirect(REGION_TYPE)
  f.set(budget)
  f.get(spent)
  f.get(budget)
  f.op('i32.sub')
  f.set(spent)
  if (countInstructions) emitInstructions(f, regionBase, region, spent, untilSample)
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
  f.get(untilSample)
  f.memory('i32.store', SCRATCH.untilSample)
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

/**
 * instructions += spent, where that is much; else, after a sample, as much as if all entries that it stands for had spent that
 */
function emitInstructions(f: FunctionBody, regionBase: number, region: Local, spent: Local, untilSample: Local): void {
  const offset = regionBase + REGION_RECORD.instructions
  const record = f.local('i32')
  const pushIsMuch = () => {
    f.get(spent)
    f.i32(MANY_INSTRUCTIONS)
    f.op('i32.ge_u')
  }
  f.get(untilSample)
  f.i32(SAMPLED_ENTRIES)
  f.op('i32.eq')
  pushIsMuch()
  f.op('i32.or')
  const counts = f.if(undefined, false)
  pushRegionRecord(f, region)
  f.tee(record)
  f.get(record)
  f.memory('i64.load', offset)
  f.get(spent)
  f.op('i64.extend_i32_s')
  f.get(spent)
  f.op('i64.extend_i32_s')
  f.i64(BigInt(SAMPLED_ENTRIES))
  f.op('i64.mul')
  pushIsMuch()
  f.op('select')
  f.op('i64.add')
  f.memory('i64.store', offset)
  f.end(counts)
}

/** left--; says so when none is. State's PC is that of the entry. */
function emitCrowd(f: FunctionBody, regionBase: number, region: Local, entry: Local): void {
  const left = f.local('i32')
  const offset = regionBase + REGION_RECORD.left
  const record = f.local('i32')
  pushRegionRecord(f, region)
  f.tee(record)
  f.get(record)
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
