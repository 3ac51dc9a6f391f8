/**
 * The hot tier: regions of guest code as WebAssembly functions, and what those call back for.
 *
 * Nothing that a guest can see depends on whether or when code is translated. A region does plain operations only; for
 * all else (faults, devices, code that is written to) it leaves before the instruction, which the interpreter then does.
 */
import type { PortCell } from '../../bus/mod.ts'
import {
  type CodeBlock,
  type CodeCache,
  type CodePage,
  ENTRY_WORDS,
  RELATIVE,
  type Region,
} from '../interpreter/code-cache.ts'
import type { CodeKind } from '../isa/code.ts'
import { type Isa, isFixed, type Trap } from '../isa/isa.ts'
import { BACKING_BASE, type GuestMemory, PAGE_BYTES, SCRATCH } from '../memory.ts'
import type { PortCellCache } from '../port-cell-cache.ts'
import type { SoftTlb } from '../soft-tlb.ts'
import type { RegionCompiler } from './compilers.ts'
import { encodeDispatcher } from './dispatcher.ts'
import { type HotCode, hasGrown } from './hot-code.ts'
import { IdleLoops } from './idle-loops.ts'
import { type KnownRegion, KnownRegions, sameWords } from './known-regions.ts'
import { DOWN, FOR_WRITE, type Layout, SIGNED, type Window } from './layout.ts'
import { LiveRegions } from './live-regions.ts'
import { collectRegion, GROWN, type RegionLimits } from './region.ts'
import { REGION_EXPORT, type RegionCode } from './translate.ts'

const OFFSET_MASK = PAGE_BYTES - 1
/** Of what is known of this very run, how much is translated before code runs; and when the next is. */
const PREPARED_AT_ONCE = 3
const INSTRUCTIONS_PER_PREPARED = 6_000_000
/**
 * A region that did so many instructions when it was recorded is optimised at once in a replay: V8 would do so after fewer,
 * having made its quick code first.
 */
const OPTIMIZED_INSTRUCTIONS = 1_000_000
/** Entries after which a block asks again for a translation that it waits for. */
const WAITING_ENTRIES = 100
/** A region grows if that makes it larger by this factor. */
const WORTH_GROWING = 4 / 3

/** Runs translated code: (place of a `translated`, instructions that may be begun, soft TLB context) -> instructions left. */
export type Dispatch = (entry: number, budget: number, context: number) => number

/** The parts of a CPU that translated code works on. */
export interface TranslatorParts {
  isa: Isa
  memory: GuestMemory
  softTlb: SoftTlb
  cells: PortCellCache
  code: CodeCache
  state: Int32Array
  trap: Trap
  portWords: Int32Array
  /** What an access to a device is, where that takes no message. */
  cell(physical: number, width: Width): PortCell | undefined
  /** From a value in the order of the IR's loads and stores to the port's, or back. */
  atPort(value: number, width: Width): number
  /** The block that begins at `pc` of a page, made now; undefined where there is no room for it. */
  makeBlock(codePage: CodePage, pc: number): CodeBlock | undefined
}

type Width = 8 | 16 | 32

interface PendingRegion {
  blocks: readonly CodeBlock[]
  code: RegionCode
  hasGrown: boolean
}

export class Translator {
  readonly dispatch: Dispatch
  /** A helper of the ISA is running on behalf of translated code: its accesses go to memory, or fail. */
  calling = false
  readonly #parts: TranslatorParts
  readonly #layout: Layout
  /** RAM that code at fixed addresses uses directly; code was made for it as it is. */
  #window: Window | undefined
  readonly #imports: Record<string, Record<string, unknown>>
  readonly #live: LiveRegions
  readonly #idleLoops: IdleLoops
  readonly #compiler: RegionCompiler
  /** What is being translated: blocks that were found hot, or a region that is known to become so. */
  readonly #pending = new Map<number, PendingRegion | KnownRegion>()
  readonly #hotCode: HotCode
  readonly #maxRegions: number
  readonly #madeFrom = new WeakMap<Region, RegionCode>()
  #regionsKnown: KnownRegions | undefined
  /** Blocks by which other regions have entered theirs very often. */
  #crowded: CodeBlock[] = []
  /** Of what is known, so many have been submitted before they were asked for. */
  #prepared = 0
  /** Blocks are being made for a known region. */
  #making = false
  #nextId = 0
  #regions = 0
  #blocks = 0

  constructor(parts: TranslatorParts, compiler: RegionCompiler, hotCode: HotCode, maxRegions: number) {
    this.#live = new LiveRegions(parts.code, maxRegions, parts.memory.regionCounts, (region, instructions) => {
      hotCode.did(this.#madeFrom.get(region)!, instructions)
    })
    hotCode.live = () => this.#instructions()
    this.#compiler = compiler
    this.#hotCode = hotCode
    this.#maxRegions = maxRegions
    this.#parts = parts
    this.#layout = {
      ...parts.isa.layout,
      ...SCRATCH,
      flagBase: parts.memory.flagBase,
      frameBase: parts.memory.frameBase,
    }
    const { memory } = parts.memory
    const dispatcher = encodeDispatcher({
      memoryPages: parts.memory.wasmPages,
      tableEntries: maxRegions + 1,
      pc: parts.isa.layout.pc,
      arenaBase: parts.memory.arenaBase,
      chunkBase: parts.memory.chunkBase,
      fixed: parts.isa.fixed,
      regionBase: parts.memory.regionBase,
      // A replay knows.
      countInstructions: !hotCode.isOfThisRun,
    })
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(dispatcher), {
      env: {
        memory,
        table: this.#live.table,
        slowLoad: (address: number, kind: number) => {
          parts.state[SCRATCH.touched >> 2] = 1
          return this.#load(address, kind)
        },
        slowStore: (address: number, value: number, kind: number) => {
          parts.state[SCRATCH.touched >> 2] = 1
          return this.#store(address, value, kind)
        },
        crowded: (entry: number) => this.#crowded.push(parts.code.block(entry + ENTRY_WORDS)),
      },
    })
    this.dispatch = exports['dispatch'] as Dispatch
    this.#idleLoops = new IdleLoops(parts.state, parts.isa.stateBytes, parts.portWords)
    this.#imports = {
      env: {
        memory,
        load: exports['load'],
        store: exports['store'],
        helper: (...args: [number, number, number, number, number, number]) => this.#call(...args),
        goOn: (...args: [number, number, number]) => this.#idleLoops.goOn(...args),
      },
    }
  }

  /** As fixed code uses it, if it may be used at all. */
  get window(): Window | undefined {
    return this.#window
  }

  /** Instructions left before the limit, while `calling`. */
  get left(): number {
    return this.#parts.state[SCRATCH.left >> 2]!
  }

  get statistics() {
    const low = this.#parts.state[SCRATCH.translated >> 2]! >>> 0
    const high = this.#parts.state[(SCRATCH.translated >> 2) + 1]!
    return {
      regions: this.#regions,
      liveRegions: this.#live.size,
      droppedRegions: this.#live.dropped,
      regionBlocks: this.#blocks,
      translatedInstructions: high * 2 ** 32 + low,
      skippedInstructions: this.#idleLoops.instructions,
    }
  }

  *#instructions(): Iterable<readonly [RegionCode, number]> {
    for (const [region, instructions] of this.#live.instructions()) yield [this.#madeFrom.get(region)!, instructions]
  }

  get #known(): KnownRegions {
    this.#regionsKnown ??= new KnownRegions(this.#hotCode.known, this.#maxRegions)
    return this.#regionsKnown
  }

  /** The code cache has dropped everything. */
  clear(): void {
    for (const [id, pending] of this.#pending) {
      if ('asker' in pending) pending.asker = undefined
      else this.#pending.delete(id)
    }
    this.#crowded = []
    this.#live.clear()
  }

  /** The code cache has dropped these. */
  drop(regions: readonly Region[]): void {
    this.#live.drop(regions)
  }

  /** Has the region around `hot` translated. */
  translate(hot: CodeBlock): void {
    if (this.#live.wake(hot) || this.#useKnown(hot)) return
    this.#translate(this.#collect(hot), false)
  }

  /** The warm blocks around `hot`. */
  #collect(hot: CodeBlock, limits?: RegionLimits): CodeBlock[] {
    const { code } = this.#parts
    const at = (pc: number) => {
      const codePage = this.#pageOf(hot, pc)
      const block = codePage && code.blockAt(codePage, pc)
      return block !== undefined && code.isWarm(block) ? block : undefined
    }
    return collectRegion(code, hot, at, limits)
  }

  #translate(blocks: readonly CodeBlock[], hasGrown: boolean): void {
    this.#parts.code.translationPending(blocks)
    const code = this.#codeOf(blocks)
    this.#submit(code, { blocks, code, hasGrown })
  }

  /** Where execution goes to and fro between regions, a larger one is to take their place. Not while translated code runs. */
  #grow(): void {
    const { code } = this.#parts
    for (const block of this.#crowded.splice(0)) {
      const region = code.regionEntered(block)
      if (region === undefined || region.hasGrown || this.#isGrowing(block)) continue
      const blocks = this.#collect(block, GROWN)
      if (blocks.length >= WORTH_GROWING * region.blocks.length) this.#translate(blocks, true)
      else this.#live.mayCrowd(region)
    }
  }

  #isGrowing(block: CodeBlock): boolean {
    for (const pending of this.#pending.values()) {
      if ('hasGrown' in pending && pending.hasGrown && pending.blocks.includes(block)) return true
    }
    return false
  }

  /** Of the regions whose place one has taken, those that are entered nowhere any more. */
  #dropReplaced({ blocks }: Region): void {
    const { code } = this.#parts
    const pages = new Set(blocks.map(({ codePage }) => codePage))
    for (const region of new Set([...pages].flatMap(({ regions }) => [...regions]))) {
      if (region.blocks.some((block) => code.regionEntered(block) === region)) continue
      code.dropRegion(region)
      this.#live.drop([region])
      this.#hotCode.replace(this.#madeFrom.get(region)!)
    }
  }

  #submit(code: RegionCode, pending: PendingRegion | KnownRegion): void {
    const id = this.#nextId++
    this.#pending.set(id, pending)
    const window = code.kind.fixed ? this.#window : undefined
    const { wasmPages: memoryPages } = this.#parts.memory
    // What has grown is the hottest code that there is.
    const optimized = 'asker' in pending ? hasGrown(code) || this.#isWorthOptimizing(pending) : pending.hasGrown
    this.#compiler.submit({ id, code, layout: this.#layout, window, memoryPages, optimized })
  }

  /** What V8 would optimise after a while costs less if it never has V8's quick code. */
  #isWorthOptimizing({ code }: KnownRegion): boolean {
    return this.#hotCode.isOfThisRun && code.instructions >= OPTIMIZED_INSTRUCTIONS
  }

  #submitKnown(region: KnownRegion): void {
    if (region.isSubmitted) return
    region.isSubmitted = true
    this.#submit(region.code, region)
  }

  /** `block` was made: it may be known to become hot. Not while translated code runs. */
  blockMade(block: CodeBlock): void {
    if (!this.#making) this.#useKnown(block, true)
  }

  /** The access at `pc` missed the fast way, at about `icount`. Not while translated code runs. */
  missed(codePage: CodePage, pc: number, icount: number): void {
    const place = codePage.address === RELATIVE ? pc & OFFSET_MASK : pc
    if (!codePage.misses.add(place, icount)) return
    const { code } = this.#parts
    const dropped = code.dropRegions(codePage, place & OFFSET_MASK, 4)
    this.drop(dropped)
    for (const region of dropped) {
      this.#hotCode.remove(this.#madeFrom.get(region)!)
      for (const block of region.blocks) if (!code.isTranslated(block)) code.askAgain(block, WAITING_ENTRIES)
    }
  }

  /** Accesses of `block` that are to be done by a call. */
  #byCall({ codePage, pc, length }: CodeBlock): number[] {
    return [...codePage.misses.byCall].filter((place) => place >= pc && place < pc + length)
  }

  /** Lets `block` lead to the known region that it is of; or, while that is being translated, ask again soon. */
  #useKnown(block: CodeBlock, isNew = false): boolean {
    const { memory, code } = this.#parts
    const { codePage, pc, length } = block
    // Most blocks are none of them, and this is asked of each that is made.
    if (!this.#known.hasAt(pc, memory.words[(BACKING_BASE + codePage.page * PAGE_BYTES + (pc & OFFSET_MASK)) / 4]!))
      return false
    const region = this.#known.find(this.#kindOf(codePage), pc, length, memory.pageWords(codePage.page))
    if (region === undefined) return false
    if (isNew && !region.isSubmitted) {
      code.askEarly(block)
      return true
    }
    if (region.translation === undefined) {
      this.#submitKnown(region)
      region.asker = block
      code.askAgain(block, WAITING_ENTRIES)
      return true
    }
    const { module, pcs } = region.translation
    if (module === undefined) return false
    this.#known.used(region)
    this.#making = true
    const blocks = this.#blocksOf(block, region.code)
    this.#making = false
    if (blocks === undefined || !this.#knowsMisses(region.code, blocks)) return false
    this.#install(
      module,
      pcs.map((pc) => blocks.get(pc)!),
      region.code,
      hasGrown(region.code),
    )
    return code.isTranslated(block)
  }

  /** The blocks of `region`, which `one` of them leads to; undefined where memory has other code by now. */
  #blocksOf(one: CodeBlock, { pcs, lengths, words }: RegionCode): Map<number, CodeBlock> | undefined {
    const { memory, code, makeBlock } = this.#parts
    const pages: CodePage[] = []
    let first = 0
    for (const [index, pc] of pcs.entries()) {
      const codePage = this.#pageOf(one, pc, true)
      const count = lengths[index]! / 4
      if (codePage === undefined) return undefined
      if (!sameWords(words, first, memory.pageWords(codePage.page), (pc & OFFSET_MASK) / 4, count)) return undefined
      pages.push(codePage)
      first += count
    }
    const blocks = new Map<number, CodeBlock>()
    for (const [index, pc] of pcs.entries()) {
      const codePage = pages[index]!
      const block = code.blockAt(codePage, pc) ?? makeBlock(codePage, pc)
      // A block of before may have been cut shorter.
      if (block === undefined || block.length !== lengths[index]) return undefined
      blocks.set(pc, block)
    }
    return blocks
  }

  /** Whether `code` calls where its blocks have missed often; from now on they call where it does. */
  #knowsMisses({ byCall }: RegionCode, blocks: ReadonlyMap<number, CodeBlock>): boolean {
    for (const block of blocks.values()) {
      if (!this.#byCall(block).every((place) => byCall.includes(place))) return false
    }
    for (const place of byCall) {
      for (const { codePage, pc, length } of blocks.values()) {
        if (place >= pc && place < pc + length) codePage.misses.byCall.add(place)
      }
    }
    return true
  }

  /** Of blocks of one kind, copied. */
  #codeOf(blocks: readonly CodeBlock[]): RegionCode {
    const { memory } = this.#parts
    const lengths = Int32Array.from(blocks, ({ length }) => length)
    const words = new Int32Array(lengths.reduce((sum, length) => sum + length, 0) / 4)
    let to = 0
    for (const { codePage, pc, length } of blocks) {
      const from = (pc & OFFSET_MASK) / 4
      words.set(memory.pageWords(codePage.page).subarray(from, from + length / 4), to)
      to += length / 4
    }
    const kind = this.#kindOf(blocks[0]!.codePage)
    const byCall = Int32Array.from(new Set(blocks.flatMap((block) => this.#byCall(block))))
    return { kind, pcs: Int32Array.from(blocks, ({ pc }) => pc), lengths, words, byCall }
  }

  #kindOf({ address, flags }: CodePage): CodeKind {
    const { isa } = this.#parts
    const relative = address === RELATIVE
    return { isa: isa.name, bigEndian: isa.bigEndian, flags, relative, fixed: !relative && isFixed(isa.fixed, address) }
  }

  /**
   * Has what is known of this very run translated before it is wanted, in the order in which it became hot: some at once, the
   * others bit by bit, or the CPU would be short of a core for its first half second.
   */
  prepare(icount: number): void {
    if (!this.#hotCode.isOfThisRun) return
    const due = PREPARED_AT_ONCE + Math.floor(icount / INSTRUCTIONS_PER_PREPARED)
    const end = Math.min(due, this.#maxRegions, this.#known.regions.length)
    while (this.#prepared < end) this.#submitKnown(this.#known.regions[this.#prepared++]!)
  }

  /** Lets blocks lead to what has been translated of them. Not while translated code runs. */
  install(): void {
    if (this.#crowded.length > 0) this.#grow()
    // In the middle of an instruction no block can be made.
    if (this.#pending.size === 0 || this.#parts.isa.midInstruction) return
    for (const translation of this.#compiler.finished()) {
      const { id, module, pcs } = translation
      const pending = this.#pending.get(id)
      if (pending === undefined) continue
      this.#pending.delete(id)
      if ('asker' in pending) {
        this.#known.translated(pending, translation)
        const { asker } = pending
        pending.asker = undefined
        if (asker !== undefined && this.#parts.code.isUsed(asker)) this.#useKnown(asker)
        continue
      }
      const { blocks, code, hasGrown } = pending
      const byPc = new Map(blocks.map((block) => [block.pc, block]))
      // Code that was overwritten meanwhile has lost its block; what is left counts anew.
      if (module !== undefined && blocks.every((block) => this.#parts.code.isUsed(block))) {
        this.#install(
          module,
          pcs.map((pc) => byPc.get(pc)!),
          code,
          hasGrown,
        )
      } else if (module !== undefined) this.#parts.code.translationFailed(blocks)
    }
  }

  #install(module: WebAssembly.Module, blocks: readonly CodeBlock[], madeFrom: RegionCode, hasGrown: boolean): void {
    this.#hotCode.add(madeFrom)
    const instance = new WebAssembly.Instance(module, this.#imports)
    const region = this.#live.add(instance.exports[REGION_EXPORT], blocks, hasGrown)
    this.#madeFrom.set(region, madeFrom)
    if (hasGrown) this.#dropReplaced(region)
    this.#regions++
    this.#blocks += blocks.length
  }

  /** Physical pages stand elsewhere. True: all code must be dropped before any runs. */
  mappingChanged(): boolean {
    const { isa, memory } = this.#parts
    const { address, physical, bytes: most } = isa.direct
    const { backing, bytes } = memory.ramFrom(physical, most)
    const known = this.#window
    if (known === undefined ? bytes === 0 : known.bytes === bytes && known.host === BACKING_BASE + backing) return false
    // What was or is being translated ahead was made for the window of before.
    this.#regionsKnown = undefined
    this.#prepared = 0
    this.#pending.clear()
    this.#window =
      bytes === 0
        ? undefined
        : { address, physical, bytes, host: BACKING_BASE + backing, page: Math.floor(backing / PAGE_BYTES) }
    return true
  }

  /** The page of code at `pc`, where `pc` may be in one region with `hot`; `make`: also where no code of it is known. */
  #pageOf(hot: CodeBlock, pc: number, make = false): CodePage | undefined {
    if (hot.codePage.address === RELATIVE) return pc >>> 0 < PAGE_BYTES ? hot.codePage : undefined
    const { isa, memory, code } = this.#parts
    if (((pc ^ hot.codePage.address) & ~OFFSET_MASK) === 0) return hot.codePage
    // Not by `isa.translate`: the CPU may be in another mode by now, and kernel code a fault for it.
    const { address, physical, bytes } = isa.direct
    const distance = (pc - address) >>> 0
    if ((hot.pc - address) >>> 0 >= bytes || distance >= bytes) return undefined
    const page = memory.readablePage(physical + distance)
    if (page < 0) return undefined
    const { flags } = hot.codePage
    return make ? code.codePage(pc & ~OFFSET_MASK, page, flags) : code.findCodePage(pc & ~OFFSET_MASK, page, flags)
  }

  #call(helper: number, a: number, b: number, c: number, d: number, e: number): number {
    const { isa, trap, state } = this.#parts
    this.calling = true
    const value = isa.helpers[helper]!(a, b, c, d, e)
    this.calling = false
    state[SCRATCH.failed >> 2] = trap.pending ? 1 : 0
    trap.pending = false
    return value as number
  }

  /** The physical address of an access, or -1: the interpreter is to do it. */
  #physical(address: number, kind: number, access: 'read' | 'write'): number {
    const { isa, trap } = this.#parts
    const bytes = (kind & 0xff) / 8
    if ((kind & DOWN) === 0 && (address & (bytes - 1)) !== 0) return -1
    const physical = isa.translate(address, access)
    if (!trap.pending) return physical - (physical & (bytes - 1))
    trap.pending = false
    return -1
  }

  /** A load that missed the soft TLB, into the scratch word for it. 0: the interpreter is to do it. */
  #load(address: number, kind: number): number {
    const { isa, memory, softTlb, state } = this.#parts
    const access = (kind & FOR_WRITE) !== 0 ? 'write' : 'read'
    const physical = this.#physical(address, kind, access)
    if (physical < 0) return 0
    const page = access === 'write' ? memory.writablePage(physical) : memory.readablePage(physical)
    if (page < 0) return (kind & (DOWN | 64)) === 0 ? this.#loadCell(address, physical, kind) : 0
    memory.reached(page, physical)
    if (access === 'read') softTlb.fillRead(address, isa.context(), page)
    const width = kind & 0xff
    const byte = BACKING_BASE + page * PAGE_BYTES + (physical & OFFSET_MASK)
    const slot = SCRATCH.slowValue >> 2
    const value =
      width === 8 ? memory.bytes[byte]! : width === 16 ? memory.halves[byte >>> 1]! : memory.words[byte >>> 2]!
    state[slot] = extend(value, kind)
    if (width === 64) state[slot + 1] = memory.words[(byte >>> 2) + 1]!
    return 1
  }

  #cell(physical: number, width: Width): PortCell | undefined {
    this.calling = true
    const cell = this.#parts.cell(physical, width)
    this.calling = false
    return cell
  }

  /** A load from a device that takes no message; what may be kept of it is. */
  #loadCell(address: number, physical: number, kind: number): 0 | 1 {
    const { isa, cells, state, portWords, atPort } = this.#parts
    const width = (kind & 0xff) as Width
    const cell = this.#cell(physical, width)
    if (cell === undefined) return 0
    const value = extend(atPort(cell.kind === 'index' ? portWords[cell.word]! : cell.value, width), kind)
    if (cell.kind === 'kept') cells.addLoad(address, kind, isa.context(), cell, value)
    state[SCRATCH.slowValue >> 2] = value
    return 1
  }

  #storeCell(address: number, physical: number, kind: number, value: number): 0 | 1 {
    const { isa, cells, portWords, atPort } = this.#parts
    const width = (kind & 0xff) as Width
    const cell = this.#cell(physical, width)
    if (cell?.kind !== 'index') return 0
    const mask = width === 32 ? cell.mask | 0 : cell.mask & (2 ** width - 1)
    portWords[cell.word] = atPort(value, width) & mask
    // Generated code swaps no bytes.
    if (width === 8 || !isa.bigEndian) cells.addStore(address, kind, isa.context(), cell, mask)
    return 1
  }

  #store(address: number, value: number, kind: number): number {
    const { isa, memory, softTlb } = this.#parts
    const physical = this.#physical(address, kind, 'write')
    if (physical < 0) return 0
    const width = kind & 0xff
    const page = memory.writablePage(physical)
    if (page < 0) return (kind & DOWN) === 0 ? this.#storeCell(address, physical, kind, value) : 0
    const offset = page * PAGE_BYTES + (physical & OFFSET_MASK)
    if (memory.isCode(offset, width / 8)) return 0
    const byte = BACKING_BASE + offset
    memory.markDirty(page)
    if (width === 8) memory.bytes[byte] = value
    else if (width === 16) memory.halves[byte >>> 1] = value
    else memory.words[byte >>> 2] = value
    memory.reached(page, physical)
    softTlb.fillWrite(address, isa.context(), page, memory.hasCode(page))
    return 1
  }
}

/** A loaded value of a kind's width, as its register holds it. */
function extend(value: number, kind: number): number {
  const bits = 32 - (kind & 0xff)
  return (kind & SIGNED) !== 0 && bits > 0 ? (value << bits) >> bits : value | 0
}
