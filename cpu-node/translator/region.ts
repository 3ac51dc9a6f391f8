/**
 * A region: blocks that lead to each other, to become one WebAssembly function.
 */
import { type CodeBlock, type CodeCache, NOWHERE, REGION_PART_MASK, RELATIVE } from '../interpreter/code-cache.ts'
import type { Block } from '../ir/ir.ts'
import { MAX_REGION_PAGES, PAGE_BYTES, PAGE_SHIFT } from '../memory.ts'

/** How large a region may become: what optimising a function costs grows faster than its size. */
export interface RegionLimits {
  blocks: number
  instructions: number
}

/** When it is made. */
export const FIRST: RegionLimits = { blocks: 48, instructions: 400 }
/** Of one that takes the place of others, between which execution went to and fro. */
export const GROWN: RegionLimits = { blocks: 192, instructions: 1600 }

/** A block, and how much of it is translated. */
export interface RegionBlock {
  block: Block
  /** Instructions translated: all, or those before the first that only the interpreter does. */
  count: number
  /** As in `RegionCode.targets`. */
  target: number
}

/** Instructions of `block` before the first that is left to the interpreter: one that always faults, or swaps 64 bits. */
export function translatable(block: Block): number {
  const { instructions, ops, exit } = block
  const swap = ops.findIndex((op) => op.op === 'unary' && op.type === 'i64' && op.name === 'swap')
  let count = instructions.length
  if (swap >= 0) count = instructions.findLastIndex(({ start }) => start <= swap)
  else if (exit.kind === 'fault') count = instructions.length - 1
  else if (exit.kind === 'lookAtState' && instructions[count - 1]!.delaySlot) count = instructions.length - 1
  if (!canRepeatBranch(block)) count = Math.min(count, instructions.length - 2)
  // A branch is not parted from its delay slot.
  return count < instructions.length && instructions[count]!.delaySlot ? count - 1 : count
}

/**
 * Whether the branch before a last delay slot can be done a second time: what the delay slot leaves to the interpreter it does
 * together with its branch. A branch that links to the register it reads can't.
 */
function canRepeatBranch({ instructions, ops }: Block): boolean {
  if (instructions.at(-1)?.delaySlot !== true) return true
  const branch = ops.slice(instructions.at(-2)!.start, instructions.at(-1)!.start)
  return !branch.some((put) => put.op === 'put' && branch.some((get) => get.op === 'get' && get.offset === put.offset))
}

/** Where a block may go on that is known before it runs. */
export function successors({ ops, exit, pc, length }: Block): number[] {
  const targets: number[] = []
  for (const op of ops) if (op.op === 'exitIf') targets.push(op.target)
  if (exit.kind === 'jump') targets.push(exit.target)
  if (exit.kind === 'branch') targets.push(exit.taken, exit.fallThrough)
  // After a call or an indirect jump the code behind it is likely to run again: returns come back there.
  if (exit.kind === 'jump' || exit.kind === 'indirect') targets.push((pc + length) | 0)
  return targets
}

/** A block of a region to be. */
export interface PlacedBlock {
  block: CodeBlock
  /** Where it begins, as its region counts: see `RegionCode.pcs`. */
  pc: number
}

/** A block as it was found. */
export interface FoundBlock extends PlacedBlock {
  /** As in `RegionCode.targets`. */
  target: number
}

/**
 * The region around `hot`: blocks found from it, first come first served. `at` gives those that are wanted; of relative code,
 * addresses count from the page of `hot`. `lastTarget`: where an indirect jump went last, or undefined.
 */
export function collectRegion(
  code: CodeCache,
  hot: CodeBlock,
  at: (pc: number) => CodeBlock | undefined,
  lastTarget: (block: CodeBlock) => number | undefined,
  limits = FIRST,
): FoundBlock[] {
  const region = new Map<number, CodeBlock>([[hot.pc, hot]])
  const lasts = new Map<number, number>()
  const isRelative = hot.codePage.address === RELATIVE
  const pages = new Set([pageOf(hot.pc)])
  let instructions = 0
  // What is added while it is walked is walked too.
  for (const [pc, block] of region) {
    instructions += block.instructions
    const base = pc - block.pc
    const targets = code.successors(block).map((target) => (base + target) | 0)
    const last = lastTarget(block)
    if (last !== undefined) {
      targets.push(last)
      lasts.set(pc, last)
    }
    for (const target of targets) {
      if (region.has(target) || region.size >= limits.blocks || instructions >= limits.instructions) continue
      const isFar = isRelative && !pages.has(pageOf(target))
      if (isFar && (pages.size >= MAX_REGION_PAGES || !isNear(pages, pageOf(target)))) continue
      const next = at(target)
      if (next === undefined) continue
      region.set(target, next)
      pages.add(pageOf(target))
    }
  }
  const lowest = isRelative ? Math.min(...pages) * PAGE_BYTES : 0
  return [...region].map(([pc, block]) => {
    const last = lasts.get(pc)
    const target = last !== undefined && region.has(last) ? (last - lowest) | 0 : NOWHERE
    return { block, pc: (pc - lowest) | 0, target }
  })
}

const pageOf = (pc: number): number => pc >> PAGE_SHIFT

/** Whether `page` is near enough to all of `pages` for one region. */
function isNear(pages: ReadonlySet<number>, page: number): boolean {
  for (const other of pages) if (Math.abs(page - other) > REGION_PART_MASK) return false
  return true
}
