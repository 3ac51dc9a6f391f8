/**
 * Which guest registers a region keeps in locals from its entry to its exits.
 */
import type { Op } from '../ir/ir.ts'
import { type RegionBlock, successors } from './region.ts'

/** Each costs a load at every entry, a store at every exit, and the optimising compiler a value to carry everywhere. */
const MAX_PINNED = 10

/**
 * Registers, as offsets in guest state below `registerBytes`, that a region with a loop keeps in locals; and those of them
 * that it puts. A region without a loop keeps none: most are left after a few blocks.
 */
export function pinnedRegisters(
  blocks: readonly RegionBlock[],
  registerBytes: number,
): { pinned: ReadonlySet<number>; put: readonly number[] } {
  if (!hasLoop(blocks)) return { pinned: new Set(), put: [] }
  const uses = new Map<number, number>()
  const puts = new Set<number>()
  for (const { block } of blocks) {
    const here = new Set<number>()
    for (const op of block.ops) {
      if ((op.op !== 'get' && op.op !== 'put') || op.offset >= registerBytes) continue
      for (const offset of wordsOf(op)) {
        here.add(offset)
        if (op.op === 'put') puts.add(offset)
      }
    }
    for (const offset of here) uses.set(offset, (uses.get(offset) ?? 0) + 1)
  }
  const most = [...uses].filter(([, count]) => count > 1).sort(([a, x], [b, y]) => y - x || a - b)
  const pinned = new Set(most.slice(0, MAX_PINNED).map(([offset]) => offset))
  return { pinned, put: [...pinned].filter((offset) => puts.has(offset)) }
}

/** The words of guest state, by offset, that reading or writing an integer register is about. */
export function wordsOf({ type, offset }: Extract<Op, { op: 'get' | 'put' }>): readonly number[] {
  return type === 'i64' ? [offset, offset + 4] : [offset]
}

/** Whether a block leads back to one before it, other than to itself. Blocks are in the order of their addresses. */
function hasLoop(blocks: readonly RegionBlock[]): boolean {
  const before = new Set<number>()
  for (const { block } of blocks) {
    const targets = block.exit.kind === 'indirect' ? [] : successors(block)
    if (targets.some((pc) => before.has(pc | 0))) return true
    before.add(block.pc | 0)
  }
  return false
}
