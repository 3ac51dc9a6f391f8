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

/** What there is to translate of a request: its blocks, in the order of their numbers, and their module. */
export interface EncodedRegion {
  blocks: readonly RegionBlock[]
  /** Undefined where there are no blocks. */
  bytes: Uint8Array | undefined
}

export function encodeRegion({ kind, pages, pcs, layout, window, memoryPages }: TranslationRequest): EncodedRegion {
  const code = codeOf(kind)
  const windows = new Map(pages.map(({ address, words }) => [address, fetchWindow(words, 0, address, kind)]))
  const blocks: RegionBlock[] = []
  for (const pc of pcs) {
    const block = code.lift(windows.get(kind.relative ? 0 : pc & -PAGE_BYTES)!, pc, MAX_BLOCK_INSTRUCTIONS)
    const count = translatable(block)
    if (count > 0) blocks.push({ block, count })
  }
  if (blocks.length === 0) return { blocks, bytes: undefined }
  // In address order most branches go forward, which costs less than going back.
  blocks.sort((a, b) => (a.block.pc >>> 0) - (b.block.pc >>> 0))
  const body = emitRegion(blocks, layout, window, code.inlineCall)
  const functions = [
    { name: REGION_EXPORT, signature: REGION_SIGNATURE, body, shownAs: `guest 0x${(pcs[0]! >>> 0).toString(16)}` },
  ]
  return { blocks, bytes: encodeModule({ memoryPages, imports: IMPORTS, functions }) }
}

export function translateRegion(request: TranslationRequest): Translation {
  const { blocks, bytes } = encodeRegion(request)
  const module = bytes && new WebAssembly.Module(bytes)
  return { id: request.id, module, pcs: blocks.map(({ block }) => block.pc) }
}
