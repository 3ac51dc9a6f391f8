/**
 * From a region's guest code to a WebAssembly module: a function of its request alone, so that any thread can do it.
 */
import { type CodeKind, codeOf, fetchWindow } from '../isa/code.ts'
import { PAGE_BYTES } from '../memory.ts'
import { encodeModule } from '../wasm/module.ts'
import { emitRegion } from './emit.ts'
import { IMPORTS, type Layout, REGION_SIGNATURE, type Window } from './layout.ts'
import { type RegionBlock, translatable } from './region.ts'

/** Instructions lifted into one block at most. */
export const MAX_BLOCK_INSTRUCTIONS = 64
/** Name of a region's function in its module; profilers show the module's own name for it. */
export const REGION_EXPORT = 'region'

export interface TranslationRequest {
  /** The requester's number for it. */
  id: number
  kind: CodeKind
  /** Copies of the pages of code: virtual address, or 0 for a relative one, and words. */
  pages: readonly { address: number; words: Int32Array }[]
  /** Of the blocks to translate, as they count. */
  pcs: readonly number[]
  layout: Layout
  window: Window | undefined
  memoryPages: number
}

export interface Translation {
  id: number
  /** Undefined where none of the blocks begins with what can be translated. */
  module: WebAssembly.Module | undefined
  /** The blocks that are in it, in the order of their numbers. */
  pcs: readonly number[]
}

export function translateRegion({
  id,
  kind,
  pages,
  pcs,
  layout,
  window,
  memoryPages,
}: TranslationRequest): Translation {
  const code = codeOf(kind)
  const windows = new Map(pages.map(({ address, words }) => [address, fetchWindow(words, 0, address, kind)]))
  const blocks: RegionBlock[] = []
  for (const pc of pcs) {
    const block = code.lift(windows.get(kind.relative ? 0 : pc & -PAGE_BYTES)!, pc, MAX_BLOCK_INSTRUCTIONS)
    const count = translatable(block)
    if (count > 0) blocks.push({ block, count })
  }
  if (blocks.length === 0) return { id, module: undefined, pcs: [] }
  // In address order most branches go forward, which costs less than going back.
  blocks.sort((a, b) => (a.block.pc >>> 0) - (b.block.pc >>> 0))
  const body = emitRegion(blocks, layout, window, code.inlineCall)
  const functions = [
    { name: REGION_EXPORT, signature: REGION_SIGNATURE, body, shownAs: `guest 0x${(pcs[0]! >>> 0).toString(16)}` },
  ]
  const bytes = encodeModule({ memoryPages, imports: IMPORTS, functions })
  return { id, module: new WebAssembly.Module(bytes), pcs: blocks.map(({ block }) => block.pc) }
}
