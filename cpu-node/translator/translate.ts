/**
 * From a region's guest code to a WebAssembly module: a function of its request alone, so that any thread can do it.
 */
import { type CodeKind, codeOf, PageWindow } from '../isa/code.ts'
import { PAGE_BYTES } from '../memory.ts'
import { FunctionBody } from '../wasm/function.ts'
import { encodeModule } from '../wasm/module.ts'
import { emitRegion, mayWait } from './emit.ts'
import { GO_ON, IMPORTS, type Layout, REGION_SIGNATURE, type Window } from './layout.ts'
import { type RegionBlock, translatable } from './region.ts'

/** Instructions lifted into one block at most. */
export const MAX_BLOCK_INSTRUCTIONS = 64
/** Name of a region's function in its module; profilers show the module's own name for it. */
export const REGION_EXPORT = 'region'

/**
 * V8 is told at its start (`--wasm-tier-mask-for-testing=2`, in `bin/ananke`) that what stands second in a module is for its
 * optimising compiler at once. This comes first there.
 */
const NOTHING = { name: 'nothing', signature: { parameters: [], results: [] }, body: new FunctionBody([]) }

/** The guest code that a region is made from. */
export interface RegionCode {
  kind: CodeKind
  /**
   * Where each block begins, and its bytes. The first is the one that was hot. Relative code counts from the lowest of its pages: as
   * far from each other as these were when the region was made, they are wherever it runs.
   */
  pcs: Int32Array
  lengths: Int32Array
  /** Where each is likely to go on by an indirect jump, if that is in the region; else `NOWHERE`. */
  targets: Int32Array
  /** The blocks' code end to end, as it stands in memory. */
  words: Int32Array
  /** Where accesses stand that often miss the fast way. */
  byCall: Int32Array
}

export interface TranslationRequest {
  /** The requester's number for it. */
  id: number
  code: RegionCode
  layout: Layout
  window: Window | undefined
  memoryPages: number
  /** It is to come from V8's optimising compiler, not first from its quick one. */
  optimized: boolean
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

export function encodeRegion({ code, layout, window, memoryPages, optimized }: TranslationRequest): EncodedRegion {
  const { kind, pcs, lengths, targets, words, byCall } = code
  const { lift, inlineCall } = codeOf(kind)
  const blocks: RegionBlock[] = []
  let first = 0
  for (const [index, pc] of pcs.entries()) {
    // The window is the block's page, of which no more is there than the block.
    const pageStart = first - ((pc & (PAGE_BYTES - 1)) >>> 2)
    const block = lift(new PageWindow(words, pageStart, pc & -PAGE_BYTES, kind), pc, MAX_BLOCK_INSTRUCTIONS)
    first += lengths[index]! / 4
    const count = translatable(block)
    if (count > 0) blocks.push({ block, count, target: targets[index]! })
  }
  if (blocks.length === 0) return { blocks, bytes: undefined }
  // In address order most branches go forward, which costs less than going back.
  blocks.sort((a, b) => (a.block.pc >>> 0) - (b.block.pc >>> 0))
  const called = new Set(byCall)
  const waits = mayWait(blocks, called)
  const body = emitRegion(blocks, layout, window, called, waits, inlineCall)
  const imports = waits ? [...IMPORTS, GO_ON] : IMPORTS
  const region = {
    name: REGION_EXPORT,
    signature: REGION_SIGNATURE,
    body,
    shownAs: `guest 0x${(pcs[0]! >>> 0).toString(16)}`,
  }
  const functions = optimized ? [NOTHING, region] : [region]
  return { blocks, bytes: encodeModule({ memoryPages, imports, functions }) }
}

export function translateRegion(request: TranslationRequest): Translation {
  const { blocks, bytes } = encodeRegion(request)
  const module = bytes && new WebAssembly.Module(bytes)
  return { id: request.id, module, pcs: blocks.map(({ block }) => block.pc) }
}
