/**
 * Where compiled blocks stand: an arena, and for each page of code seen through one virtual page a table from address to
 * block. A block in the arena, in words:
 *
 *     entry       5: `entry`, or what has taken its place
 *     ip          micro-ops, the first is `block`
 *                 of each instruction its virtual address, as `CodeBlock.pc`
 *                 of each instruction the place of its first micro-op, from `ip`
 *
 * When the arena is full, or there are too many tables, blocks that are seldom entered make room (`reclaim`); if most is in
 * use even then, the caller drops everything.
 */
import assert from 'node:assert/strict'
import { CHUNK_SHIFT, PAGE_BYTES, PAGE_SHIFT } from '../memory.ts'
import { AccessMisses } from '../translator/access-misses.ts'
import { firstJoined, microOps, NOWHERE, opcodeOf } from './micro-ops.ts'

export { NOWHERE }

/** 14 MiB: some 75,000 blocks. A Debian boot makes 70,000. */
export const ARENA_WORDS = 3.5 * 2 ** 20
/** 16 MiB of tables, for MIPS. */
const MAX_CODE_PAGES = 2 ** 12
const CHUNK_BYTES = 1 << CHUNK_SHIFT
/** A block that was entered less often since the last `reclaim` makes room. */
const KEPT_ENTRIES = 64
/** Of micro-ops whose instruction's place in its block is kept: those that accesses to devices come from, over and over. */
const COUNTS = 64
const ENTRY = opcodeOf('entry')
export const TRANSLATED = opcodeOf('translated')
const STALE = opcodeOf('stale')
const JUMP = opcodeOf('jump')
const INDIRECT = opcodeOf('indirect')
/** Which of its words says where it went last. */
const INDIRECT_LAST = 2
/**
 * After how much of what makes a block hot one is looked at that was hot in an earlier run. Not at once: of 750 regions that a
 * boot and some programs after it had found a boot alone wants 450, and with all of them it takes 0.3 s longer.
 */
const EARLY_FRACTION = 1 / 8
/**
 * A region is crowded after so many times as many entries from other regions as make a block hot. Of mapped code, programs',
 * there is more between which execution goes to and fro, and most of it not for long: what is done in half a second of 20,000
 * steps of a shell's loop grew too late, and kept a core busy meanwhile. 200,000 steps take a tenth less when it has grown.
 */
const CROWDED_FACTOR = { fixed: 40, relative: 256 }
/** Entries left of a block that is being translated. */
const PENDING = 2 ** 30
/** Words of `entry`, which stands before a block's `block`. */
export const ENTRY_WORDS = 5
/** Which of them is the block's virtual address. */
export const ENTRY_PC = 3
/** And its number among all blocks. */
const ENTRY_BLOCK = 4
/**
 * Which word of `translated` says where it leads: a region's number, and above these bits of it; of relative code, which of the
 * region's pages the block is on; and which of its blocks it is. Never 0.
 */
export const ENTRY_REGION = 2
export const REGION_SHIFT = 16
export const REGION_PAGE_SHIFT = 8
/** Of a region's pages as of its blocks there are fewer. */
export const REGION_PART_MASK = 0xff
/** Words of `block`, and which of them is its virtual address. */
export const BLOCK_WORDS = 3
export const BLOCK_PC = 2

/** `CodePage.address` of code that is the same at every virtual page. */
export const RELATIVE = 1

/** The code of one backing page, seen at one virtual page, or relative to any. */
export interface CodePage {
  /** No other has had it. */
  readonly id: number
  /** Virtual address of the page, as int32, or `RELATIVE`. */
  readonly address: number
  readonly page: number
  /** `Isa.codeFlags` it was lifted under. */
  readonly flags: number
  /** Place in the arena of the block that starts at each code address of the page; 0: none. */
  readonly entries: Int32Array
  /** Delay slots that run by themselves, their branch being in the page before, by offset in the page. */
  readonly delaySlots: Map<number, CodeBlock>
  /** In no order. */
  readonly blocks: CodeBlock[]
  readonly regions: Set<Region>
  readonly misses: AccessMisses
}

/** A translated region, as far as the code cache is concerned. */
export interface Region {
  readonly number: number
  /** What it was made from, by their numbers in it. Their entries may lead to it, or to another that has them too. */
  readonly blocks: readonly CodeBlock[]
  /** Where each begins, as the region counts: `RegionCode.pcs`. */
  readonly pcs: readonly number[]
  /** It takes the place of others. */
  readonly hasGrown: boolean
}

/** What is kept of a block besides what stands in the arena. */
export interface CodeBlock {
  readonly codePage: CodePage
  /** Which of its page's blocks it is; -1 once it is none of them: overwritten, or it has made room. */
  place: number
  /** How it is found from its page, until then. */
  readonly keep: 'entry' | 'delaySlot' | undefined
  /** Place of its `block`, after its `entry`; `reclaim` moves it. */
  ip: number
  /** Words of its micro-ops. */
  readonly codeWords: number
  /** Virtual address, or offset in its page if it is relative; and its bytes of code. */
  readonly pc: number
  readonly length: number
  /** How many. */
  readonly instructions: number
  readonly lastInDelaySlot: boolean
}

/** What became of code when bytes of its page were written. */
export interface Written {
  /** Blocks that were made from those bytes, and regions that have any of them. */
  stale: CodeBlock[]
  regions: Region[]
  /** Other blocks that are made from the chunks that the bytes are in. */
  kept: CodeBlock[]
}

/** A block to be added: its micro-ops are the first `codeWords` of `code`. */
export interface NewBlock extends Pick<CodeBlock, 'pc' | 'length' | 'instructions' | 'lastInDelaySlot' | 'codeWords'> {
  readonly code: Int32Array
  /** Of each instruction: virtual address, as `CodeBlock.pc`, and where in `code` it starts. */
  readonly pcs: Int32Array
  readonly starts: Int32Array
}

interface MicroOpLayout {
  words: number
  /** Which words are links. */
  links: readonly number[]
  /** Which are where the block may go on, if that is by a link. */
  targets: readonly number[]
}

/** By opcode. */
const layouts: MicroOpLayout[] = []
for (const { name, operands } of microOps) layouts[opcodeOf(name)] = makeLayout(operands)

function makeLayout(operands: readonly string[]): MicroOpLayout {
  const links = operands.flatMap((operand, index) => (/link$/i.test(operand) ? [index + 1] : []))
  // Its target stands after each link.
  return { words: operands.length + 1, links, targets: links.map((link) => link + 1) }
}

function layoutOf(opcode: number): MicroOpLayout {
  const layout = layouts[opcode]
  assert(layout !== undefined, 'a block is made of micro-ops')
  return layout
}

/** Copies the first `count` words of `from`. Most are few: for those a loop is faster than what makes a view of them. */
function copy(from: Int32Array, count: number, to: Int32Array, at: number): void {
  for (let index = 0; index < count; index++) to[at + index] = from[index]!
}

export class CodeCache {
  readonly words: Int32Array
  readonly #codeShift: number
  readonly #hotEntries: number
  readonly #regionsLeft: () => void
  /** By backing page: the pages made from it. */
  readonly #pages = new Map<number, CodePage[]>()
  /** In the order of their places in the arena; with those overwritten, until they make room. */
  readonly #blocks: CodeBlock[] = []
  /** What `instructionsFrom` gave last: micro-ops' places, each with its count. 0 is nobody's place. */
  readonly #counts = new Int32Array(2 * COUNTS)
  #codePages = 0
  #nextPageId = 1
  #end = 1
  #reclaims = 0

  /**
   * `arena`: where the micro-ops go. `hotEntries`: how often a block is entered before it is hot; 0: none ever is. `regionsLeft`
   * hears of it at once where entries that led to a region lead to another, or to none.
   */
  constructor(codeShift: number, arena: Int32Array, hotEntries: number, regionsLeft: () => void) {
    this.#codeShift = codeShift
    this.#hotEntries = hotEntries
    this.#regionsLeft = regionsLeft
    this.words = arena
  }

  clear(): void {
    this.#pages.clear()
    this.#blocks.length = 0
    this.#codePages = 0
    this.#freeFrom(1)
  }

  get codePages(): Iterable<number> {
    return this.#pages.keys()
  }

  /** After how many entries from other regions a region is crowded. */
  crowdedEntries({ blocks }: Region): number {
    const kind = blocks[0]?.codePage.address === RELATIVE ? 'relative' : 'fixed'
    return CROWDED_FACTOR[kind] * this.#hotEntries
  }

  /** How often blocks have made room. */
  get reclaims(): number {
    return this.#reclaims
  }

  /** What of its room is in use, as a fraction. */
  get fullness(): number {
    return Math.max(this.#end / this.words.length, this.#codePages / MAX_CODE_PAGES)
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
        id: this.#nextPageId++,
        address,
        page,
        flags,
        // Filled, since it is read before it is written to: for such a page the host has two faults, the second of 20 us.
        entries: new Int32Array(PAGE_BYTES >> this.#codeShift).fill(0),
        delaySlots: new Map(),
        blocks: [],
        regions: new Set(),
        misses: new AccessMisses(),
      }
      list.push(found)
      this.#codePages++
    }
    return found
  }

  /**
   * Puts a block into the arena. `keep`: to be found again from its page, where it can be entered or where it is a delay slot
   * by itself. Undefined where there is no room.
   */
  add(codePage: CodePage, made: NewBlock, keep: CodeBlock['keep']): CodeBlock | undefined {
    const { words } = this
    const { pc, length, instructions, lastInDelaySlot, codeWords } = made
    const entry = this.#end
    const ip = entry + ENTRY_WORDS
    const end = ip + codeWords + 2 * instructions
    if (end > words.length || this.#codePages > MAX_CODE_PAGES) return undefined
    words[entry] = ENTRY
    words[entry + 1] = this.#hotEntries
    words[entry + ENTRY_PC] = pc
    copy(made.code, codeWords, words, ip)
    copy(made.pcs, instructions, words, ip + codeWords)
    copy(made.starts, instructions, words, ip + codeWords + instructions)
    this.#end = end
    const place = codePage.blocks.length
    const block: CodeBlock = { codePage, place, keep, ip, codeWords, pc, length, instructions, lastInDelaySlot }
    words[entry + ENTRY_BLOCK] = this.#blocks.push(block) - 1
    const offset = pc & (PAGE_BYTES - 1)
    if (keep === 'entry') codePage.entries[offset >>> this.#codeShift] = entry
    if (keep === 'delaySlot') codePage.delaySlots.set(offset, block)
    codePage.blocks.push(block)
    return block
  }

  /** The block whose first micro-op is at `ip`. */
  block(ip: number): CodeBlock {
    const block = this.#blocks[this.words[ip - ENTRY_WORDS + ENTRY_BLOCK]!]
    if (block?.ip !== ip) throw new Error(`no block at ${ip}`)
    return block
  }

  /** Virtual address of an instruction of `block`, as `CodeBlock.pc`. */
  pcOf({ ip, codeWords }: CodeBlock, instruction: number): number {
    return this.words[ip + codeWords + instruction]!
  }

  /** Place of the first micro-op of an instruction of `block`. */
  startOf({ ip, codeWords, instructions }: CodeBlock, instruction: number): number {
    return ip + this.words[ip + codeWords + instructions + instruction]!
  }

  /** Where `block` may go on that is known before it runs. */
  successors({ ip, codeWords, pc, length }: CodeBlock): number[] {
    const { words } = this
    const targets: number[] = []
    for (let at = ip; at < ip + codeWords; at += layoutOf(words[at]!).words) {
      const opcode = words[at]!
      for (const target of layoutOf(opcode).targets) targets.push(words[at + target]!)
      // After a call or an indirect jump the code behind it is likely to run again: returns come back there.
      if (opcode === JUMP || opcode === INDIRECT) targets.push((pc + length) | 0)
    }
    return targets
  }

  /** The virtual address where `block` went last, if it ends in an indirect jump; `NOWHERE`. */
  lastTarget({ ip, codeWords }: CodeBlock): number {
    const { words } = this
    for (let at = ip; at < ip + codeWords; at += layoutOf(words[at]!).words) {
      if (words[at] === INDIRECT) return words[at + INDIRECT_LAST]!
    }
    return NOWHERE
  }

  /** The instruction of `block` that the micro-op at `ip` belongs to: its number. */
  instructionAt(block: CodeBlock, ip: number): number {
    let index = block.instructions - 1
    while (index > 0 && this.startOf(block, index) > ip) index--
    return index
  }

  /** How many instructions the block at `place` has from that of the micro-op at `ip` on. */
  instructionsFrom(place: number, ip: number): number {
    const counts = this.#counts
    const at = 2 * (ip & (COUNTS - 1))
    if (counts[at] !== ip) {
      const block = this.block(place)
      counts[at] = ip
      counts[at + 1] = block.instructions - this.instructionAt(block, ip)
    }
    return counts[at + 1]!
  }

  /** Where a micro-op of `block` stands that does the first one of instruction `index` too; 0: there is none. */
  joinedWith(block: CodeBlock, index: number): number {
    const place = this.startOf(block, index)
    let before = index - 1
    while (before >= 0 && this.startOf(block, before) === place) before--
    let at = before < 0 ? block.ip : this.startOf(block, before)
    for (;;) {
      const next = at + layoutOf(this.words[at]!).words
      if (next >= place) return next === place && firstJoined(this.words[at]!) !== 0 ? at : 0
      at = next
    }
  }

  /** Gives back a block that is not to be found, if it is still there. */
  drop(block: CodeBlock): void {
    if (!this.isUsed(block)) return
    this.#leavePage(block)
    // Its room is free again, unless others were added after it.
    if (block !== this.#blocks.at(-1)) return
    this.#blocks.pop()
    this.#freeFrom(block.ip - ENTRY_WORDS)
  }

  /** From `end` on there will be others. */
  #freeFrom(end: number): void {
    this.#end = end
    this.#counts.fill(0)
  }

  /** Makes stale what was made from bytes `[offset, offset + length)` of backing page `page`. */
  written(page: number, offset: number, length: number): Written {
    const stale: CodeBlock[] = []
    const kept: CodeBlock[] = []
    const regions: Region[] = []
    const end = offset + length
    const firstChunk = offset & -CHUNK_BYTES
    const chunksEnd = (end + CHUNK_BYTES - 1) & -CHUNK_BYTES
    for (const codePage of this.#pages.get(page) ?? []) {
      let isHit = false
      // From the last on, since one that leaves has the last take its place.
      for (let place = codePage.blocks.length - 1; place >= 0; place--) {
        const block = codePage.blocks[place]!
        const blockStart = block.pc & (PAGE_BYTES - 1)
        const blockEnd = blockStart + block.length
        if (blockStart >= chunksEnd || firstChunk >= blockEnd) continue
        if (blockStart >= end || offset >= blockEnd) {
          kept.push(block)
          continue
        }
        isHit = true
        this.#forget(block)
        this.words[block.ip - ENTRY_WORDS] = STALE
        stale.push(block)
      }
      if (isHit) regions.push(...this.dropRegions(codePage, offset, length))
    }
    return { stale, regions, kept }
  }

  /** Drops what was translated from bytes `[offset, offset + length)` of a page: the regions that it was. */
  dropRegions(codePage: CodePage, offset: number, length: number): Region[] {
    const dropped: Region[] = []
    for (const region of codePage.regions) {
      const isHit = region.blocks.some((block) => {
        const from = block.pc & (PAGE_BYTES - 1)
        return block.codePage === codePage && from < offset + length && offset < from + block.length
      })
      if (!isHit) continue
      this.dropRegion(region)
      dropped.push(region)
    }
    return dropped
  }

  /** Whether the block is one of its page's: neither overwritten nor gone to make room. */
  isUsed(block: CodeBlock): boolean {
    return block.place >= 0
  }

  #leavePage(block: CodeBlock): void {
    const { blocks } = block.codePage
    const last = blocks.pop()!
    if (last !== block) {
      blocks[block.place] = last
      last.place = block.place
    }
    block.place = -1
  }

  /** The block is no longer to be found from its page. */
  #forget(block: CodeBlock): void {
    const { codePage, keep } = block
    const offset = block.pc & (PAGE_BYTES - 1)
    this.#leavePage(block)
    if (keep === 'entry') codePage.entries[offset >>> this.#codeShift] = 0
    if (keep === 'delaySlot') codePage.delaySlots.delete(offset)
  }

  /**
   * Makes room: overwritten blocks go, and those that no region is made of and that were seldom entered since the last
   * time. What stays moves together, so that no place in the arena is what it was. Only between runs of the hot loop.
   */
  reclaim(): void {
    this.#reclaims++
    const inRegions = new Set<CodeBlock>()
    for (const list of this.#pages.values()) {
      for (const { regions } of list) for (const { blocks } of regions) for (const block of blocks) inRegions.add(block)
    }
    // In the order of their places, since that is the order in which they were added.
    const blocks = this.#blocks.splice(0)
    this.#freeFrom(1)
    for (const block of blocks) {
      if (!this.isUsed(block)) continue
      if (inRegions.has(block) || this.#isKept(block)) this.#moveToEnd(block)
      else this.#forget(block)
    }
    this.#dropEmptyPages()
  }

  /** Whether an untranslated block has been entered often enough; it has to be anew. */
  #isKept({ ip }: CodeBlock): boolean {
    const left = ip - ENTRY_WORDS + 1
    const entries = this.#hotEntries - this.words[left]!
    // What is being translated is warm.
    if (entries >= KEPT_ENTRIES) this.words[left] = this.#hotEntries
    return entries < 0 || entries >= KEPT_ENTRIES
  }

  /** Moves a block down to where the last one ends, without its links. */
  #moveToEnd(block: CodeBlock): void {
    const { words } = this
    const { codePage, keep, codeWords } = block
    const entry = this.#end
    words.copyWithin(entry, block.ip - ENTRY_WORDS, block.ip + codeWords + 2 * block.instructions)
    if (keep === 'entry') codePage.entries[(block.pc & (PAGE_BYTES - 1)) >>> this.#codeShift] = entry
    block.ip = entry + ENTRY_WORDS
    words[entry + ENTRY_BLOCK] = this.#blocks.push(block) - 1
    const codeEnd = block.ip + codeWords
    for (let at = block.ip; at < codeEnd; ) {
      const layout = layoutOf(words[at]!)
      for (const link of layout.links) words[at + link] = 0
      at += layout.words
    }
    this.#end = codeEnd + 2 * block.instructions
  }

  #dropEmptyPages(): void {
    for (const [page, list] of this.#pages) {
      const used = list.filter(({ blocks }) => blocks.length > 0)
      this.#codePages -= list.length - used.length
      if (used.length > 0) this.#pages.set(page, used)
      else this.#pages.delete(page)
    }
  }

  /** These blocks are being translated: until that is done they are warm, but not hot again. */
  translationPending(blocks: readonly CodeBlock[]): void {
    for (const block of blocks) if (!this.isTranslated(block)) this.words[block.ip - ENTRY_WORDS + 1] = PENDING
  }

  /** The block is hot, so that it is looked at again, after `entries` more entries. */
  askAgain(block: CodeBlock, entries: number): void {
    this.words[block.ip - ENTRY_WORDS + 1] = entries
  }

  /** The block is known to have become hot in an earlier run: it is looked at before it is hot. */
  askEarly(block: CodeBlock): void {
    this.askAgain(block, Math.ceil(EARLY_FRACTION * this.#hotEntries))
  }

  /** Nothing came of it: those of them that are still in use count anew. */
  translationFailed(blocks: readonly CodeBlock[]): void {
    for (const block of blocks) {
      const entry = block.ip - ENTRY_WORDS
      if (this.isUsed(block) && this.words[entry] === ENTRY) this.words[entry + 1] = this.#hotEntries
    }
  }

  /**
   * Lets the entries of a region's blocks lead to it, but for those that lead to another, which one that has grown takes over. It
   * is told of writes from now on.
   */
  enterRegion(region: Region): void {
    for (const [index, block] of region.blocks.entries()) {
      block.codePage.regions.add(region)
      if (this.isTranslated(block) && !region.hasGrown) continue
      const page = block.codePage.address === RELATIVE ? region.pcs[index]! >>> PAGE_SHIFT : 0
      assert(page <= REGION_PART_MASK && index <= REGION_PART_MASK, 'a region is small')
      const entry = block.ip - ENTRY_WORDS
      this.words[entry] = TRANSLATED
      this.words[entry + ENTRY_REGION] = (region.number << REGION_SHIFT) | (page << REGION_PAGE_SHIFT) | index
    }
    if (region.hasGrown) this.#regionsLeft()
  }

  /** The entries of a region's blocks lead to it no more: those are hot after `entries` entries. It is still told of writes. */
  leaveRegion(region: Region, entries: number): void {
    const { words } = this
    for (const block of region.blocks) {
      const entry = block.ip - ENTRY_WORDS
      const isIn = words[entry] === TRANSLATED && words[entry + ENTRY_REGION]! >>> REGION_SHIFT === region.number
      const isCounting = words[entry] === ENTRY && words[entry + 1]! <= this.#hotEntries
      if (!isIn && !isCounting) continue
      words[entry] = ENTRY
      words[entry + 1] = Math.min(entries, this.#hotEntries)
    }
    this.#regionsLeft()
  }

  dropRegion(region: Region): void {
    for (const { codePage } of region.blocks) codePage.regions.delete(region)
    this.leaveRegion(region, this.#hotEntries)
  }

  /** The region that the entry of `block` leads to, if it leads to one. */
  regionEntered(block: CodeBlock): Region | undefined {
    if (!this.isUsed(block) || !this.isTranslated(block)) return undefined
    const number = this.words[block.ip - ENTRY_WORDS + ENTRY_REGION]! >>> REGION_SHIFT
    for (const region of block.codePage.regions) if (region.number === number) return region
    return undefined
  }

  /** The first region that has `block`. */
  regionWith(block: CodeBlock): Region | undefined {
    for (const region of block.codePage.regions) if (region.blocks.includes(block)) return region
    return undefined
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
}
