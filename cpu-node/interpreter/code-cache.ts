/**
 * Where compiled blocks stand: an arena of micro-ops, and for each page of code seen through one virtual page a table
 * from address to block. When the arena is full, or there are too many tables, everything is dropped.
 */
import { PAGE_BYTES } from '../memory.ts'
import type { CompiledBlock } from './compile.ts'
import { opcodeOf } from './micro-ops.ts'

/** 64 MiB of micro-ops: some 600,000 blocks. */
export const ARENA_WORDS = 2 ** 24
/** 64 MiB of tables, for MIPS. */
const MAX_CODE_PAGES = 2 ** 14
const ENTRY = opcodeOf('entry')
export const TRANSLATED = opcodeOf('translated')
const STALE = opcodeOf('stale')
/** Entries left of a block that is being translated. */
const PENDING = 2 ** 30
/** Words of `entry`, which stands before a block's `block`. */
export const ENTRY_WORDS = 5
/** Which of them is the block's virtual address. */
export const ENTRY_PC = 4
/** Words of `block`, and which of them is its virtual address. */
export const BLOCK_WORDS = 3
export const BLOCK_PC = 2

/** `CodePage.address` of code that is the same at every virtual page. */
export const RELATIVE = 1

/** The code of one backing page, seen at one virtual page, or relative to any. */
export interface CodePage {
  /** Virtual address of the page, as int32, or `RELATIVE`. */
  readonly address: number
  readonly page: number
  /** `Isa.codeFlags` it was lifted under. */
  readonly flags: number
  /** Place in the arena of the block that starts at each code address of the page; 0: none. */
  readonly entries: Int32Array
  /** Delay slots that run by themselves, their branch being in the page before, by offset in the page. */
  readonly delaySlots: Map<number, CodeBlock>
  readonly blocks: Set<CodeBlock>
  readonly regions: Set<Region>
}

/** A translated region, as far as the code cache is concerned. */
export interface Region {
  readonly number: number
  /** What it was made from: bytes `[from, to)` of code pages. */
  readonly sources: readonly { readonly codePage: CodePage; readonly from: number; readonly to: number }[]
  /** Blocks whose entry leads to it, and their number in it. */
  readonly entered: readonly { readonly block: CodeBlock; readonly index: number }[]
}

/** What is kept of a block besides its micro-ops. */
export interface CodeBlock {
  readonly codePage: CodePage
  /** Place of its `block`, after its `entry`. */
  readonly ip: number
  /** Virtual address, or offset in its page if it is relative; and its bytes of code. */
  readonly pc: number
  readonly length: number
  /** Of each instruction: virtual address, and place of its first micro-op. */
  readonly pcs: readonly number[]
  readonly starts: readonly number[]
  readonly lastInDelaySlot: boolean
  /** Where it may go on that is known before it runs. */
  readonly successors: readonly number[]
}

export class CodeCache {
  readonly words: Int32Array
  readonly #codeShift: number
  readonly #hotEntries: number
  /** By backing page: the pages made from it. */
  readonly #pages = new Map<number, CodePage[]>()
  readonly #blocks = new Map<number, CodeBlock>()
  #codePages = 0
  #end = 1
  /** The block that ends there. */
  #last: CodeBlock | undefined

  /** `arena`: where the micro-ops go. `hotEntries`: how often a block is entered before it is hot; 0: none ever is. */
  constructor(codeShift: number, arena: Int32Array, hotEntries: number) {
    this.#codeShift = codeShift
    this.#hotEntries = hotEntries
    this.words = arena
  }

  clear(): void {
    this.#pages.clear()
    this.#blocks.clear()
    this.#codePages = 0
    this.#end = 1
  }

  get codePages(): Iterable<number> {
    return this.#pages.keys()
  }

  hasRoomFor(words: number): boolean {
    return this.#end + words <= this.words.length && this.#codePages <= MAX_CODE_PAGES
  }

  /** The page's table, if there is one. */
  findCodePage(address: number, page: number, flags: number): CodePage | undefined {
    return this.#pages.get(page)?.find((candidate) => candidate.address === address && candidate.flags === flags)
  }

  /** The page's table, made empty if there is none. */
  codePage(address: number, page: number, flags: number): CodePage {
    let list = this.#pages.get(page)
    if (list === undefined) {
      list = []
      this.#pages.set(page, list)
    }
    let found = this.findCodePage(address, page, flags)
    if (found === undefined) {
      found = {
        address,
        page,
        flags,
        entries: new Int32Array(PAGE_BYTES >> this.#codeShift),
        delaySlots: new Map(),
        blocks: new Set(),
        regions: new Set(),
      }
      list.push(found)
      this.#codePages++
    }
    return found
  }

  /**
   * Puts a compiled block into the arena. `keep`: to be found again from its page, where it can be entered or where it is
   * a delay slot by itself.
   */
  add(
    codePage: CodePage,
    compiled: CompiledBlock,
    lifted: Omit<CodeBlock, 'codePage' | 'ip' | 'starts'>,
    keep: 'entry' | 'delaySlot' | undefined,
  ): CodeBlock {
    const { words } = this
    const entry = this.#end
    words[entry] = ENTRY
    words[entry + 1] = this.#hotEntries
    words[entry + ENTRY_PC] = lifted.pc
    const ip = entry + ENTRY_WORDS
    words.set(compiled.code, ip)
    this.#end = ip + compiled.code.length
    const starts = compiled.starts.map((start) => ip + start)
    const block: CodeBlock = { ...lifted, codePage, ip, starts }
    this.#blocks.set(ip, block)
    this.#last = block
    const offset = lifted.pc & (PAGE_BYTES - 1)
    if (keep === 'entry') codePage.entries[offset >>> this.#codeShift] = entry
    if (keep === 'delaySlot') codePage.delaySlots.set(offset, block)
    codePage.blocks.add(block)
    return block
  }

  /** The block whose first micro-op is at `ip`. */
  block(ip: number): CodeBlock {
    const block = this.#blocks.get(ip)
    if (block === undefined) throw new Error(`no block at ${ip}`)
    return block
  }

  /** Gives back a block that was not kept. */
  drop(block: CodeBlock): void {
    this.#blocks.delete(block.ip)
    block.codePage.blocks.delete(block)
    // Its room is free again, unless others were added after it.
    if (block === this.#last) this.#end = block.ip - ENTRY_WORDS
  }

  /** Makes stale what was made from bytes `[offset, offset + length)` of backing page `page`: the blocks it was. */
  written(page: number, offset: number, length: number): { blocks: CodeBlock[]; regions: Region[] } {
    const stale: CodeBlock[] = []
    const dropped: Region[] = []
    for (const codePage of this.#pages.get(page) ?? []) {
      for (const block of codePage.blocks) {
        const start = block.pc & (PAGE_BYTES - 1)
        if (start >= offset + length || offset >= start + block.length) continue
        codePage.blocks.delete(block)
        const entry = start >>> this.#codeShift
        if (codePage.entries[entry] === block.ip - ENTRY_WORDS) codePage.entries[entry] = 0
        if (codePage.delaySlots.get(start) === block) codePage.delaySlots.delete(start)
        this.words[block.ip - ENTRY_WORDS] = STALE
        stale.push(block)
      }
      for (const region of codePage.regions) {
        const isHit = region.sources.some(
          (source) => source.codePage === codePage && source.from < offset + length && offset < source.to,
        )
        if (!isHit) continue
        this.#dropRegion(region)
        dropped.push(region)
      }
    }
    return { blocks: stale, regions: dropped }
  }

  /** These blocks are being translated: until that is done they are warm, but not hot again. */
  translationPending(blocks: readonly CodeBlock[]): void {
    for (const block of blocks) if (!this.isTranslated(block)) this.words[block.ip - ENTRY_WORDS + 1] = PENDING
  }

  /** The block is hot, so that it is looked at again, after `entries` more entries. */
  askAgain(block: CodeBlock, entries: number): void {
    this.words[block.ip - ENTRY_WORDS + 1] = entries
  }

  /** Nothing came of it: those of them that are still in use count anew. */
  translationFailed(blocks: readonly CodeBlock[]): void {
    for (const block of blocks) {
      const entry = block.ip - ENTRY_WORDS
      if (this.words[entry] === ENTRY) this.words[entry + 1] = this.#hotEntries
    }
  }

  /** Lets the entries of a region's blocks lead to it. */
  addRegion(region: Region): void {
    for (const { codePage } of region.sources) codePage.regions.add(region)
    for (const { block, index } of region.entered) {
      const entry = block.ip - ENTRY_WORDS
      this.words[entry] = TRANSLATED
      this.words[entry + 2] = region.number
      this.words[entry + 3] = index
    }
  }

  #dropRegion(region: Region): void {
    for (const { codePage } of region.sources) codePage.regions.delete(region)
    for (const { block } of region.entered) {
      const entry = block.ip - ENTRY_WORDS
      if (this.words[entry] === STALE) continue
      this.words[entry] = ENTRY
      this.words[entry + 1] = this.#hotEntries
    }
  }

  /** The block entered at `pc` of `codePage`, if there is one. */
  blockAt(codePage: CodePage, pc: number): CodeBlock | undefined {
    const entry = codePage.entries[(pc & (PAGE_BYTES - 1)) >>> this.#codeShift]!
    return entry === 0 ? undefined : this.block(entry + ENTRY_WORDS)
  }

  /** Whether the block has been entered a good part of the times that make it hot. */
  isWarm(block: CodeBlock): boolean {
    const entry = block.ip - ENTRY_WORDS
    const left = this.words[entry + 1]!
    return this.words[entry] === TRANSLATED || left <= (this.#hotEntries * 3) / 4 || left > this.#hotEntries
  }

  isTranslated(block: CodeBlock): boolean {
    return this.words[block.ip - ENTRY_WORDS] === TRANSLATED
  }

  /** The blocks made from backing page `page` that are in use. */
  blocksOf(page: number): CodeBlock[] {
    return (this.#pages.get(page) ?? []).flatMap(({ blocks }) => [...blocks])
  }
}

/** The instruction of `block` that the micro-op at `ip` belongs to: its number. */
export function instructionAt(block: CodeBlock, ip: number): number {
  let index = block.starts.length - 1
  while (index > 0 && block.starts[index]! > ip) index--
  return index
}
