/**
 * A region: blocks of one code page that lead to each other, to become one WebAssembly function.
 */
import type { Block } from '../ir/ir.ts'

/** Blocks of a region at most: what optimising a function costs grows faster than its size. */
export const MAX_REGION_BLOCKS = 128
export const MAX_REGION_INSTRUCTIONS = 1000

/** A block, and how much of it is translated. */
export interface RegionBlock {
  block: Block
  /** Instructions translated: all, or those before the first that only the interpreter does. */
  count: number
}

/** Instructions of `block` before the first that is left to the interpreter: one that always faults, or swaps 64 bits. */
export function translatable(block: Block): number {
  const { instructions, ops, exit } = block
  const swap = ops.findIndex((op) => op.op === 'unary' && op.type === 'i64' && op.name === 'swap')
  let count = instructions.length
  if (swap >= 0) count = instructions.findLastIndex(({ start }) => start <= swap)
  else if (exit.kind === 'fault') count = instructions.length - 1
  else if (exit.kind === 'lookAtState' && instructions[count - 1]!.delaySlot) count = instructions.length - 1
  // A branch is not parted from its delay slot.
  return count < instructions.length && instructions[count]!.delaySlot ? count - 1 : count
}

/** Where a block may go on that is known before it runs. */
export function successors({ block, count }: RegionBlock): number[] {
  if (count < block.instructions.length) return []
  const targets: number[] = []
  for (const op of block.ops) if (op.op === 'exitIf') targets.push(op.target)
  const { exit } = block
  if (exit.kind === 'jump') targets.push(exit.target)
  if (exit.kind === 'branch') targets.push(exit.taken, exit.fallThrough)
  // After a call or an indirect jump the code behind it is likely to run again: returns come back there.
  const end = (block.pc + block.length) | 0
  if (exit.kind === 'jump' || exit.kind === 'indirect') targets.push(end)
  return targets
}

/**
 * The region around `pc`: blocks found from it, first come first served, that `wanted` accepts. Undefined where the block
 * at `pc` can't be translated.
 */
export function collectRegion(
  pc: number,
  lift: (pc: number) => Block,
  wanted: (pc: number) => boolean,
): RegionBlock[] | undefined {
  const region = new Map<number, RegionBlock>()
  const queue = [pc]
  let instructions = 0
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (region.has(next) || region.size >= MAX_REGION_BLOCKS || instructions >= MAX_REGION_INSTRUCTIONS) continue
    if (next !== pc && !wanted(next)) continue
    const block = lift(next)
    const count = translatable(block)
    if (count === 0) {
      if (next === pc) return undefined
      continue
    }
    const found = { block, count }
    region.set(next, found)
    instructions += count
    queue.push(...successors(found))
  }
  // In address order most branches go forward, which costs less than going back.
  return [...region.values()].sort((a, b) => (a.block.pc >>> 0) - (b.block.pc >>> 0))
}
