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
  NOWHERE,
  RELATIVE,
  type Region,
} from '../interpreter/code-cache.ts'
import type { CodeKind } from '../isa/code.ts'
import { type Isa, isFixed, type Trap } from '../isa/isa.ts'
import { BACKING_BASE, type GuestMemory, PAGE_BYTES, SCRATCH } from '../memory.ts'
import type { PortCellCache } from '../port-cell-cache.ts'
import type { SoftTlb } from '../soft-tlb.ts'
import { CALLING_CHUNK } from './access-misses.ts'
import type { RegionCompiler } from './compilers.ts'
import { encodeDispatcher, SAMPLED_ENTRIES } from './dispatcher.ts'
import { type HotCode, hasGrown } from './hot-code.ts'
import { IdleLoops } from './idle-loops.ts'
import { type KnownRegion, KnownRegions, sameWords } from './known-regions.ts'
import { DOWN, FOR_WRITE, type Layout, SIGNED, type Window } from './layout.ts'
import { LiveRegions } from './live-regions.ts'
import type { MachineCode, RegionSource } from './machine-code.ts'
import { collectRegion, type FoundBlock, GROWN, type PlacedBlock, type RegionLimits } from './region.ts'
import { REGION_EXPORT, type RegionCode, type Translation } from './translate.ts'

const OFFSET_MASK = PAGE_BYTES - 1
/** Of what is known of this very run, how much is translated before code runs; and when the next is. */
const PREPARED_AT_ONCE = 3
const INSTRUCTIONS_PER_PREPARED = 6_000_000
/**
 * A region that did so many instructions when it was recorded is optimised at once in a replay: V8 would do so after fewer,
 * having made its quick code first.
 */
const OPTIMIZED_INSTRUCTIONS = 1_000_000
/** Entries after which a block whose region was dropped for its misses asks for another. */
const WAITING_ENTRIES = 100
/** Entries after which a block of a known region that is being translated asks again: it is told when that is done. */
const KNOWN_ENTRIES = 2000
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
  /** The page of code that was found at a virtual address last, in the address space at hand; it may be another's now. */
  likelyPage(address: number): CodePage | undefined
  /** The block that begins at `pc` of a page, made now; undefined where there is no room for it. */
  makeBlock(codePage: CodePage, pc: number): CodeBlock | undefined
}

type Width = 8 | 16 | 32

interface PendingRegion {
  blocks: readonly FoundBlock[]
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
  readonly #machineCode: MachineCode | undefined
  /** What was wanted and was stored. */
  #taken: Translation[] = []
  readonly #maxRegions: number
  readonly #madeFrom = new WeakMap<Region, RegionCode>()
  #regionsKnown: KnownRegions | undefined
  /** Blocks by which other regions have entered theirs very often, and their bases. */
  #crowded: { block: CodeBlock; base: number }[] = []
  /** Of what is known, so many have been submitted before they were asked for. */
  #prepared = 0
  /** So many submitted regions are not done yet. */
  #compiling = 0
  /** Blocks are being made for a known region. */
  #making = false
  #nextId = 0
  #regions = 0
  #blocks = 0

  constructor(
    parts: TranslatorParts,
    compiler: RegionCompiler,
    hotCode: HotCode,
    machineCode: MachineCode | undefined,
    maxRegions: number,
  ) {
    this.#live = new LiveRegions(parts.code, maxRegions, parts.memory.regionRecords, (region, instructions) => {
      hotCode.did(this.#madeFrom.get(region)!, instructions)
    })
    hotCode.live = () => this.#instructions()
    this.#compiler = compiler
    this.#hotCode = hotCode
    this.#machineCode = machineCode
    this.#maxRegions = maxRegions
    this.#parts = parts
    this.#layout = {
      ...parts.isa.layout,
      ...SCRATCH,
      flagBase: parts.memory.flagBase,
      frameBase: parts.memory.frameBase,
      regionBase: parts.memory.regionBase,
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
        crowded: (entry: number) => {
          const block = parts.code.block(entry + ENTRY_WORDS)
          this.#crowded.push({ block, base: (parts.state[parts.isa.layout.pc >> 2]! - block.pc) | 0 })
        },
      },
    })
    this.dispatch = exports['dispatch'] as Dispatch
    parts.state[SCRATCH.untilSample >> 2] = SAMPLED_ENTRIES
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
      storedRegions: this.#machineCode?.taken.size ?? 0,
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

  #known(): KnownRegions {
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

  /** Has the region around `hot` translated. `base`: the address that what is relative of it counts from now; else 0. */
  translate(hot: CodeBlock, base: number): void {
    if (this.#live.wake(hot) || this.#useKnown(hot, base)) return
    this.#translate(this.#collect(hot, base), false)
  }

  /** The warm blocks around `hot`. */
  #collect(hot: CodeBlock, base: number, limits?: RegionLimits): FoundBlock[] {
    const { code } = this.#parts
    const at = (pc: number) => {
      const codePage = this.#pageOf({ block: hot, pc: hot.pc }, pc, base)
      const block = codePage && code.blockAt(codePage, pc)
      return block !== undefined && code.isWarm(block) ? block : undefined
    }
    const lastTarget = (block: CodeBlock) => {
      const target = block.codePage.address === RELATIVE ? code.lastTarget(block) : NOWHERE
      return target === NOWHERE ? undefined : (target - base) | 0
    }
    return collectRegion(code, hot, at, lastTarget, limits)
  }

  #translate(blocks: readonly FoundBlock[], hasGrown: boolean): void {
    this.#parts.code.translationPending(blocks.map(({ block }) => block))
    const code = this.#codeOf(blocks)
    this.#submit(code, { blocks, code, hasGrown })
  }

  /** Where execution goes to and fro between regions, a larger one is to take their place. Not while translated code runs. */
  #grow(): void {
    const { code } = this.#parts
    for (const { block, base } of this.#crowded.splice(0)) {
      const region = code.regionEntered(block)
      if (region === undefined || region.hasGrown || this.#isGrowing(block)) continue
      const blocks = this.#collect(block, base, GROWN)
      if (blocks.length >= WORTH_GROWING * region.blocks.length) this.#translate(blocks, true)
      else this.#live.mayCrowd(region)
    }
  }

  #isGrowing(block: CodeBlock): boolean {
    for (const pending of this.#pending.values()) {
      if (!('hasGrown' in pending) || !pending.hasGrown) continue
      if (pending.blocks.some((placed) => placed.block === block)) return true
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
    const source = this.#sourceOf(code)
    const stored = this.#machineCode?.find(source)
    if (stored !== undefined) {
      this.#taken.push({ id, ...stored })
      return
    }
    const optimized = 'asker' in pending ? this.#isWorthOptimizing(pending) : this.#isOptimizedAtOnce(pending)
    this.#compiling++
    this.#compiler.submit({ id, ...source, optimized })
  }

  #sourceOf(code: RegionCode): RegionSource {
    const window = code.kind.fixed ? this.#window : undefined
    return { code, layout: this.#layout, window, memoryPages: this.#parts.memory.wasmPages }
  }

  /** Takes the translation of a region that has not been submitted, where it is stored. */
  #seek(region: KnownRegion): void {
    if (region.isSought || region.isSubmitted) return
    region.isSought = true
    const stored = this.#machineCode?.find(this.#sourceOf(region.code))
    if (stored === undefined) return
    region.isSubmitted = true
    this.#known().translated(region, stored)
  }

  /**
   * What V8 would optimise after a while costs less if it never has V8's quick code. Where machine code is kept, it is once that a
   * region is compiled, and of quick code nothing would be kept.
   */
  #isWorthOptimizing({ code }: KnownRegion): boolean {
    if (this.#machineCode !== undefined || hasGrown(code)) return true
    return this.#hotCode.isOfThisRun && code.instructions >= OPTIMIZED_INSTRUCTIONS
  }

  /**
   * What has grown is the hottest code that there is. Where machine code is kept, what a run finds beside it is optimised too, as
   * long as it is little: the next run has it, and nothing to translate. What a replay finds anew is what the run that was recorded
   * has dropped.
   */
  #isOptimizedAtOnce({ hasGrown }: PendingRegion): boolean {
    if (hasGrown || this.#machineCode === undefined) return hasGrown
    return this.#hotCode.isOfThisRun || (this.#machineCode.taken.size > 0 && this.#compiling === 0)
  }

  #submitKnown(region: KnownRegion): void {
    if (region.isSubmitted) return
    region.isSubmitted = true
    this.#submit(region.code, region)
  }

  /** `block` was made: it may be known to become hot. `base`: as `translate` has it. Not while translated code runs. */
  blockMade(block: CodeBlock, base: number): void {
    if (!this.#making) this.#useKnown(block, base, true)
  }

  /** The access at `pc` missed the fast way, at about `icount`. Not while translated code runs. */
  missed(codePage: CodePage, pc: number, icount: number): void {
    const place = codePage.address === RELATIVE ? pc & OFFSET_MASK : pc
    if (!codePage.misses.add(place, icount)) return
    const { code } = this.#parts
    const dropped = code.dropRegions(codePage, place & OFFSET_MASK & -CALLING_CHUNK, CALLING_CHUNK)
    this.drop(dropped)
    for (const region of dropped) {
      this.#hotCode.remove(this.#madeFrom.get(region)!)
      for (const block of region.blocks) if (!code.isTranslated(block)) code.askAgain(block, WAITING_ENTRIES)
    }
  }

  /** Where a block's accesses, if there are any, are to be done by a call, as its region counts. */
  #byCall({ block: { codePage, pc, length }, pc: placed }: PlacedBlock): number[] {
    const places: number[] = []
    for (let offset = 0; offset < length; offset += 1 << this.#parts.isa.codeShift) {
      if (codePage.misses.isByCall((pc + offset) | 0)) places.push((placed + offset) | 0)
    }
    return places
  }

  /**
   * Lets `block` lead to the known region that it is of; or, while that is being translated, ask again soon. `base`: as `translate`
   * has it.
   */
  #useKnown(block: CodeBlock, base: number, isNew = false): boolean {
    const { memory, code } = this.#parts
    const { codePage, pc, length } = block
    // Most blocks are none of them, and this is asked of each that is made.
    if (!this.#known().hasAt(pc, memory.words[(BACKING_BASE + codePage.page * PAGE_BYTES + (pc & OFFSET_MASK)) / 4]!))
      return false
    const known = this.#known().find(this.#kindOf(codePage), pc, length, memory.pageWords(codePage.page))
    if (known === undefined) return false
    const { region } = known
    this.#seek(region)
    if (isNew && !region.isSubmitted) {
      code.askEarly(block)
      return true
    }
    if (region.translation === undefined) {
      this.#submitKnown(region)
      region.asker = { block, base }
      code.askAgain(block, KNOWN_ENTRIES)
      return true
    }
    const { module, pcs } = region.translation
    if (module === undefined) return false
    this.#known().used(region)
    this.#making = true
    const blocks = this.#blocksOf({ block, pc: known.pc }, (base + pc - known.pc) | 0, region.code)
    this.#making = false
    if (blocks === undefined && isNew) {
      // Of its other pages nothing may have run yet.
      code.askEarly(block)
      return true
    }
    if (blocks === undefined || !this.#knowsMisses(region.code, blocks)) return false
    this.#install(
      module,
      pcs.map((pc) => ({ block: blocks.get(pc)!, pc })),
      region.code,
      hasGrown(region.code),
    )
    return code.isTranslated(block)
  }

  /**
   * The blocks of `region`, which `one` of them leads to, by where they begin as it counts from `base`; undefined where memory has
   * other code by now, or it is not known what it has.
   */
  #blocksOf(one: PlacedBlock, base: number, { pcs, lengths, words }: RegionCode): Map<number, CodeBlock> | undefined {
    const { memory, code, makeBlock } = this.#parts
    const pages: CodePage[] = []
    let first = 0
    for (const [index, pc] of pcs.entries()) {
      const codePage = this.#pageOf(one, pc, base, true)
      const count = lengths[index]! / 4
      if (codePage === undefined) return undefined
      if (!sameWords(words, first, memory.pageWords(codePage.page), (pc & OFFSET_MASK) / 4, count)) return undefined
      pages.push(codePage)
      first += count
    }
    const blocks = new Map<number, CodeBlock>()
    for (const [index, pc] of pcs.entries()) {
      const codePage = pages[index]!
      const place = codePage.address === RELATIVE ? pc & OFFSET_MASK : pc
      const block = code.blockAt(codePage, pc) ?? makeBlock(codePage, place)
      // A block of before may have been cut shorter.
      if (block === undefined || block.length !== lengths[index]) return undefined
      blocks.set(pc, block)
    }
    return blocks
  }

  /** Whether `code` calls where its blocks have missed often; from now on they call where it does. */
  #knowsMisses({ byCall }: RegionCode, blocks: ReadonlyMap<number, CodeBlock>): boolean {
    for (const [pc, block] of blocks) {
      if (!this.#byCall({ block, pc }).every((place) => byCall.includes(place))) return false
    }
    for (const place of byCall) {
      for (const [placed, { codePage, pc, length }] of blocks) {
        if (place >= placed && place < placed + length) codePage.misses.call((place - placed + pc) | 0)
      }
    }
    return true
  }

  /** Of blocks of one kind, copied. */
  #codeOf(blocks: readonly FoundBlock[]): RegionCode {
    const { memory } = this.#parts
    const lengths = Int32Array.from(blocks, ({ block }) => block.length)
    const words = new Int32Array(lengths.reduce((sum, length) => sum + length, 0) / 4)
    let to = 0
    for (const { block } of blocks) {
      const { codePage, pc, length } = block
      const from = (pc & OFFSET_MASK) / 4
      words.set(memory.pageWords(codePage.page).subarray(from, from + length / 4), to)
      to += length / 4
    }
    const kind = this.#kindOf(blocks[0]!.block.codePage)
    const byCall = Int32Array.from(new Set(blocks.flatMap((placed) => this.#byCall(placed))))
    const pcs = Int32Array.from(blocks, ({ pc }) => pc)
    const targets = Int32Array.from(blocks, ({ target }) => target)
    return { kind, pcs, lengths, targets, words, byCall }
  }

  #kindOf({ address, flags }: CodePage): CodeKind {
    const { isa } = this.#parts
    const relative = address === RELATIVE
    return { isa: isa.name, bigEndian: isa.bigEndian, flags, relative, fixed: !relative && isFixed(isa.fixed, address) }
  }

  /**
   * Has what is known of this very run translated before it is wanted, in the order in which it became hot: some at once, the
   * others bit by bit, or the CPU would be short of a core for its first half second. Where machine code of the first is stored,
   * that of most others is too, and is taken when it is wanted.
   */
  prepare(icount: number): void {
    if (!this.#hotCode.isOfThisRun || (this.#machineCode?.taken.size ?? 0) > 0) return
    const due = PREPARED_AT_ONCE + Math.floor(icount / INSTRUCTIONS_PER_PREPARED)
    const end = Math.min(due, this.#maxRegions, this.#known().regions.length)
    while (this.#prepared < end) this.#submitKnown(this.#known().regions[this.#prepared++]!)
  }

  /** Lets blocks lead to what has been translated of them. Not while translated code runs. */
  install(): void {
    if (this.#crowded.length > 0) this.#grow()
    // In the middle of an instruction no block can be made.
    if (this.#pending.size === 0 || this.#parts.isa.midInstruction) return
    for (const translation of this.#compiler.finished()) {
      this.#compiling--
      const pending = this.#pending.get(translation.id)
      if (pending === undefined) continue
      this.#machineCode?.add(this.#sourceOf(pending.code), translation)
      this.#translated(pending, translation)
    }
    for (const translation of this.#taken.splice(0)) {
      const pending = this.#pending.get(translation.id)
      if (pending !== undefined) this.#translated(pending, translation)
    }
  }

  #translated(pending: PendingRegion | KnownRegion, { id, module, pcs }: Translation): void {
    this.#pending.delete(id)
    if ('asker' in pending) {
      this.#known().translated(pending, { module, pcs })
      const { asker } = pending
      pending.asker = undefined
      if (asker !== undefined && this.#parts.code.isUsed(asker.block)) this.#useKnown(asker.block, asker.base)
      return
    }
    const { blocks, code, hasGrown } = pending
    if (module === undefined) return
    // Code that was overwritten meanwhile has lost its block; what is left counts anew.
    if (!blocks.every(({ block }) => this.#parts.code.isUsed(block))) {
      this.#parts.code.translationFailed(blocks.map(({ block }) => block))
      return
    }
    const byPc = new Map(blocks.map((placed) => [placed.pc, placed]))
    const placed = pcs.map((pc) => byPc.get(pc)!)
    this.#install(module, placed, code, hasGrown)
  }

  #install(module: WebAssembly.Module, blocks: readonly PlacedBlock[], madeFrom: RegionCode, hasGrown: boolean): void {
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

  /**
   * The page of code at `pc`, as a region counts from `base`, where it may be in one region with a block of it; `make`: also where no
   * code of it is known.
   */
  #pageOf({ block: hot, pc: place }: PlacedBlock, pc: number, base: number, make = false): CodePage | undefined {
    const { isa, memory, code, likelyPage } = this.#parts
    if (((pc ^ place) & ~OFFSET_MASK) === 0) return hot.codePage
    if (hot.codePage.address === RELATIVE) {
      const page = likelyPage((base + pc) | 0)
      return page?.address === RELATIVE && page.flags === hot.codePage.flags ? page : undefined
    }
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
    if (cell?.kind !== 'index') {
      cells.addMessage(address, kind, isa.context())
      return 0
    }
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
