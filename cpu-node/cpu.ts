/**
 * The CPU node: guest state and memory, the soft TLB, the code cache and the loop that runs it all to a limit.
 */
import assert from 'node:assert/strict'
import {
  BUS_ERROR,
  type Clock,
  type Cpu,
  type CpuPort,
  type PageDigest,
  type PageSnapshot,
  PORT_WORDS,
  type RunResult,
  type Vt,
} from '../bus/mod.ts'
import { makeOutsideHash } from './hash.ts'
import {
  ARENA_WORDS,
  BLOCK_PC,
  BLOCK_WORDS,
  type CodeBlock,
  CodeCache,
  type CodePage,
  ENTRY_WORDS,
  type NewBlock,
  RELATIVE,
} from './interpreter/code-cache.ts'
import { type HotLoop, makeHotLoop } from './interpreter/hot-loop.ts'
import type { LiftedCode } from './interpreter/lifted-code.ts'
import { LoopRegisters } from './interpreter/loop-registers.ts'
import { Left } from './interpreter/loop-writer.ts'
import { MicroOpBuilder } from './interpreter/micro-op-builder.ts'
import { firstJoined, opcodeOf } from './interpreter/micro-ops.ts'
import { PageWindow } from './isa/code.ts'
import type { AccessKind, Execution, FetchWindow, Isa, Trap } from './isa/isa.ts'
import { JumpCache, jumpContext } from './jump-cache.ts'
import {
  BACKING_BASE,
  CODE_PAGES,
  GuestMemory,
  PAGE_BYTES,
  PAGE_SHIFT,
  PORT_WORDS_BASE,
  SCRATCH,
  SECOND_WAY_BASE,
  STATE_BYTES,
  TLB_BASE,
} from './memory.ts'
import { PortCellCache } from './port-cell-cache.ts'
import { SoftTlb } from './soft-tlb.ts'
import { swapBytes } from './swap-bytes.ts'
import { BackgroundCompiler, type RegionCompiler } from './translator/compilers.ts'
import { HotCode } from './translator/hot-code.ts'
import { DOWN, FOR_WRITE } from './translator/layout.ts'
import { MAX_REGIONS } from './translator/live-regions.ts'
import type { MachineCode } from './translator/machine-code.ts'
import { MAX_BLOCK_INSTRUCTIONS } from './translator/translate.ts'
import { Translator } from './translator/translator.ts'

/** What translated code counts down is an i32. */
const MAX_RUN_INSTRUCTIONS = 2 ** 30
/** Entries of a block after which translating it pays: measured on a boot. */
const HOT_ENTRIES = 4000
const OFFSET_MASK = PAGE_BYTES - 1
const MAX_PARTS = 256
/** Of the code cache: where more is kept when it is full, it would soon be full again. */
const KEPT_FRACTION = 3 / 4
/** Has bit 2 set, which no page address with its context has. */
const NO_PAGE = 4
const BREAK = opcodeOf('break')
const SLOW_VALUE = SCRATCH.slowValue / 4

type Width = 8 | 16 | 32

/** How guest code is run. None of it shows in what the guest does. */
export interface TierOptions {
  /** Bounds the code that is interpreted, in words. */
  arenaWords?: number
  /** Bounds the regions that are translated: at least 4. */
  maxRegions?: number
  /** Entries of a block before it is translated to WebAssembly; 0: it is always interpreted. */
  hotEntries?: number
  /** Who translates; by default a thread beside this one. */
  compiler?: RegionCompiler
  /** What earlier runs found hot; it takes what this one finds. */
  hotCode?: HotCode
  /** What earlier runs lifted; it takes what this one lifts. */
  liftedCode?: LiftedCode | undefined
  /** What V8 made of regions of earlier runs; it takes what it makes in this one. */
  machineCode?: MachineCode | undefined
}

export type IsaFactory = (execution: Execution, clock: Clock) => Isa

export class InterpretedCpu implements Cpu, Execution {
  readonly trap: Trap = { pending: false, code: 0, address: 0 }
  readonly state: Int32Array
  readonly state64: BigInt64Array
  readonly tlb: Int32Array
  readonly portWords: Int32Array
  readonly #clock: Clock
  readonly #memory: GuestMemory
  readonly #softTlb: SoftTlb
  readonly #cells: PortCellCache
  readonly #codeShift: number
  readonly #code: CodeCache
  readonly #builder: MicroOpBuilder
  readonly #liftedCode: LiftedCode | undefined
  readonly #jumpCache: JumpCache
  readonly #isa: Isa
  readonly #hotLoop: HotLoop
  readonly #loop: LoopRegisters
  readonly #translator: Translator
  #port: CpuPort | undefined
  /** Icount is this less `remaining`, and less what is left of the block under way. */
  #limit = 0
  #running = false
  /** The instruction at hand must be the last before a look. */
  #breakRequested = false
  /** `CODE_PAGES`; the pages themselves; and what their tags were when they were found. */
  readonly #pageTags: Int32Array
  readonly #pages: (CodePage | undefined)[] = new Array(CODE_PAGES.entries)
  readonly #foundTags = new Int32Array(CODE_PAGES.entries).fill(NO_PAGE)
  #context = 0
  #codeContext = 0
  #linkSlot = 0
  /** Parts of blocks that the limit has cut, by `partKey`; null: it has run once. */
  readonly #parts = new Map<number, CodeBlock | null>()
  /** Made when it is asked for. */
  #hashOutside: ((bytes: Uint8Array, seed: number) => bigint) | undefined
  /** A block that the limit cut after some of its instructions: `index` is the next. */
  #parted: { block: CodeBlock; index: number; base: number; context: number } | undefined
  #brokenIp = 0
  #brokenIndex = 0
  #brokenOpcode = 0
  /** The micro-op that was joined with the one that is broken, or 0. */
  #partedIp = 0
  #partedOpcode = 0
  #flushRequested = false
  /** Of `Isa.direct`, what is RAM end to end. */
  #directBytes = 0

  constructor(makeIsa: IsaFactory, clock: Clock, backingBytes: number, options: TierOptions = {}) {
    const { arenaWords = ARENA_WORDS, maxRegions = MAX_REGIONS, hotEntries = HOT_ENTRIES } = options
    this.#clock = clock
    this.#memory = new GuestMemory(backingBytes, arenaWords, maxRegions)
    const { buffer } = this.#memory
    this.state = new Int32Array(buffer, 0, STATE_BYTES / 4)
    this.state64 = new BigInt64Array(buffer, 0, STATE_BYTES / 8)
    this.tlb = new Int32Array(buffer, TLB_BASE, (SECOND_WAY_BASE - TLB_BASE) / 4)
    this.portWords = new Int32Array(buffer, PORT_WORDS_BASE, PORT_WORDS)
    this.#pageTags = new Int32Array(buffer, CODE_PAGES.base, 2 * CODE_PAGES.entries).fill(NO_PAGE)
    this.#softTlb = new SoftTlb(buffer)
    this.#jumpCache = new JumpCache(buffer)
    this.#isa = makeIsa(this, clock)
    this.#loop = new LoopRegisters(this.state, this.#isa.pcOffset)
    this.#cells = new PortCellCache(buffer, this.#isa.fixed, clock)
    this.#codeShift = this.#isa.codeShift
    this.#builder = new MicroOpBuilder(this.#isa.stateBytes)
    this.#liftedCode = options.liftedCode
    this.#code = new CodeCache(this.#codeShift, this.#memory.arena, hotEntries, () => this.#jumpCache.forgetRegions())
    this.#translator = new Translator(
      {
        isa: this.#isa,
        memory: this.#memory,
        softTlb: this.#softTlb,
        cells: this.#cells,
        code: this.#code,
        state: this.state,
        trap: this.trap,
        portWords: this.portWords,
        cell: (physical, width) => this.#port!.cell(physical, (width / 8) as 1 | 2 | 4),
        atPort: (value, width) => this.#atPort(value, width),
        likelyPage: (address) => this.#likelyPage(address),
        makeBlock: (codePage, pc) => this.#liftBlock(codePage, pc, undefined),
      },
      options.compiler ?? new BackgroundCompiler(),
      hotEntries === 0 ? new HotCode() : (options.hotCode ?? new HotCode()),
      options.machineCode,
      maxRegions,
    )
    this.#memory.watch({
      codeWritten: (offset, length) => this.#codeWritten(offset, length),
      forgetWriteTags: () => this.#softTlb.clearWrites(),
      forgetMapping: () => this.#mappingChanged(),
    })
    this.#hotLoop = makeHotLoop({
      memory: this.#memory.memory,
      memoryPages: this.#memory.wasmPages,
      arenaBase: this.#memory.arenaBase,
      pc: this.#isa.pcOffset,
      fixed: this.#isa.fixed,
      direct: this.#isa.direct.address,
      physical: this.#isa.direct.physical,
      flagBase: this.#memory.flagBase,
      chunkBase: this.#memory.chunkBase,
      ramHelpers: this.#isa.ramHelpers,
      calls: {
        dispatch: this.#translator.dispatch,
        load: (address, kind) => this.#slowLoad(address, kind),
        store: (address, kind, slot) => this.#slowStore(address, kind, slot),
        helper: (...args) => this.#callHelper(...args),
        fault: (code) => this.#fault(code),
        hot: (entry) => this.#hot(entry),
        missed: () => this.#missed(),
        next: (link) => this.#next(link),
        disarmBreak: () => this.#disarmBreak(),
      },
    })
  }

  // --- Cpu ----------------------------------------------------------------------------------------------------------

  get icount(): number {
    if (this.#translator.calling) return this.#limit - this.#translator.left
    if (!this.#running) return this.#limit - this.#loop.remaining
    const { block, ip, remaining } = this.#loop
    return this.#limit - remaining - this.#code.instructionsFrom(block, ip)
  }

  get now(): Vt {
    return this.#clock.vtAt(this.icount)
  }

  get pc(): number {
    if (!this.#running) return this.#loop.pc >>> 0
    const block = this.#code.block(this.#loop.block)
    return (this.#loop.base + this.#code.pcOf(block, this.#code.instructionAt(block, this.#loop.ip))) >>> 0
  }

  get statistics(): Readonly<Record<string, number>> {
    const { reclaims } = this.#code
    const { touchedBytes } = this.#memory
    return { instructions: this.icount, touchedBytes, reclaims, ...this.#translator.statistics }
  }

  get timerDue(): Vt {
    return this.#isa.timerDue
  }

  mapMemory(base: number, length: number, backingOffset: number, mode: 'ram' | 'rom'): void {
    this.#memory.map(base, length, backingOffset, mode)
  }

  unmapMemory(base: number, length: number): void {
    this.#memory.unmap(base, length)
  }

  forgetPortCells(): void {
    this.#cells.forget()
  }

  forgetKeptCells(): void {
    this.#cells.forgetLoads()
  }

  readBacking(offset: number, length: number): Uint8Array {
    return this.#memory.read(offset, length)
  }

  viewBacking(offset: number, length: number): Uint8Array {
    return this.#memory.view(offset, length)
  }

  writeBacking(offset: number, bytes: Uint8Array): void {
    this.#memory.write(offset, bytes)
  }

  reset(): void {
    this.#isa.reset()
    this.forgetPortCells()
    this.forgetTranslations(0, 2 ** 32)
  }

  setLine(wire: number, level: 0 | 1): void {
    this.#isa.setLine(wire, level)
  }

  hashRegisters(): number {
    const { stateBytes, tlbBytes } = this.#isa
    return this.#memory.hashes.twoSpans(0, stateBytes, TLB_BASE, tlbBytes)
  }

  hashMemory(): { low: number; high: number } {
    return this.#memory.hash()
  }

  hashPage(bytes: Uint8Array, number: number): bigint {
    this.#hashOutside ??= makeOutsideHash(PAGE_BYTES)
    return this.#hashOutside(bytes, number)
  }

  get writtenPages(): number {
    return this.#memory.writtenPages
  }

  snapshot(): PageSnapshot {
    return this.#memory.snapshot()
  }

  digest(update: (bytes: Uint8Array) => void, pages: PageDigest): void {
    const { bytes } = this.#memory
    update(bytes.subarray(0, this.#isa.stateBytes))
    update(bytes.subarray(TLB_BASE, TLB_BASE + this.#isa.tlbBytes))
    if (pages === 'hashed') this.#memory.digestHashes(update)
    else this.#memory.digestPages(update)
  }

  save(): Record<string, unknown> {
    const { bytes } = this.#memory
    return {
      version: 1,
      icount: this.icount,
      state: bytes.slice(0, this.#isa.stateBytes),
      tlb: bytes.slice(TLB_BASE, TLB_BASE + this.#isa.tlbBytes),
      isa: this.#isa.save(),
    }
  }

  restore(saved: Record<string, unknown>): void {
    const { version, icount, state, tlb, isa } = saved
    if (version !== 1) throw new Error(`CPU state of version ${String(version)}, this is version 1`)
    assert(typeof icount === 'number' && state instanceof Uint8Array && tlb instanceof Uint8Array)
    assert(state.length === this.#isa.stateBytes && tlb.length === this.#isa.tlbBytes)
    this.#abandonRun()
    this.#limit = icount
    this.forgetPortCells()
    this.#memory.bytes.set(state, 0)
    this.#memory.bytes.set(tlb, TLB_BASE)
    this.#isa.restore(isa as Record<string, unknown>)
    this.forgetTranslations(0, 2 ** 32)
  }

  run(port: CpuPort): RunResult {
    this.#port = port
    for (;;) {
      const icount = this.#limit
      // Nothing happens at the limit: how often a caller comes here with nothing to run leaves no trace.
      if (icount >= port.limit) return 'limit'
      this.#isa.updateTimer(this.#clock.vtAt(icount))
      this.#isa.takeInterrupt()
      if (this.#isa.idle) return 'idle'
      if (this.#flushRequested) this.#flush()
      this.#translator.prepare(icount)
      this.#translator.install()
      const limit = Math.min(port.limit, this.#clock.icountAt(this.#isa.timerDue), icount + MAX_RUN_INSTRUCTIONS)
      this.#runCode(limit)
    }
  }

  // --- Running ------------------------------------------------------------------------------------------------------

  /** Forgets a run that an error of the port cut off amid an instruction. */
  #abandonRun(): void {
    if (this.#brokenIp !== 0) this.#mend()
    this.#running = false
    this.#parted = undefined
    this.#loop.remaining = 0
    this.trap.pending = false
  }

  /** Runs code from state's PC until there is reason to look, `limit` at the latest. */
  #runCode(limit: number): void {
    this.#loop.remaining = limit - this.#limit
    this.#limit = limit
    this.#cells.limitIs(limit)
    this.#breakRequested = false
    this.#context = this.#isa.context()
    this.#codeContext = this.#context | this.#isa.codeTag
    this.state[SCRATCH.directBytes / 4] = (this.#context & this.#isa.fixed.contextMask) === 0 ? this.#directBytes : 0
    this.state[SCRATCH.codeContext / 4] = this.#codeContext
    let left: number = Left.missing
    this.#linkSlot = 0
    if (this.#canResume()) left = this.#resume()
    else {
      this.#loop.ip = this.#isa.midInstruction ? 0 : this.#next(0)
      if (this.#loop.ip !== 0) left = this.#enter()
    }
    // At the limit nothing may be fetched any more: a fetch that faults counts as an instruction.
    while (left === Left.missing && this.#loop.remaining > 0) {
      const block = this.#isa.midInstruction ? undefined : this.#makeBlock()
      if (block === undefined) break
      if (this.#linkSlot !== 0) this.#code.words[this.#linkSlot] = 4 * (block.ip - ENTRY_WORDS)
      this.#loop.ip = block.ip
      left = this.#enter()
    }
    if (left === Left.cut || (left === Left.missing && this.#isa.midInstruction)) this.#runPart()
    this.#limit -= this.#loop.remaining
    this.#loop.remaining = 0
  }

  /** Runs compiled code from `ip`; a trap that it leaves with is taken. */
  #enter(): number {
    this.#loop.block = this.#loop.ip
    return this.#runHotLoop()
  }

  /** The same in the middle of `block`, whose instructions have been counted. */
  #runHotLoop(): number {
    this.#running = true
    this.#parted = undefined
    const left = this.#hotLoop(this.#context)
    if (this.#brokenIp !== 0) this.#mend()
    this.#running = false
    if (left === Left.trapped) {
      const block = this.#code.block(this.#loop.block)
      const index = this.#code.instructionAt(block, this.#loop.ip)
      this.#loop.remaining += block.instructions - index - 1
      const delaySlot = block.lastInDelaySlot && index === block.instructions - 1
      this.#isa.takeTrap((this.#loop.base + this.#code.pcOf(block, index)) | 0, delaySlot)
    }
    return left
  }

  /** Runs as many of the next block's instructions as are left, or the one that stands alone. */
  #runPart(): void {
    const { midInstruction } = this.#isa
    const most = midInstruction
      ? Math.min(this.#loop.remaining, 1)
      : Math.min(this.#loop.remaining, MAX_BLOCK_INSTRUCTIONS)
    if (most === 0 || (!midInstruction && this.#runToBreak(most))) return
    const block = this.#makeBlock(most)
    if (block === undefined) return
    this.#loop.ip = block.ip
    this.#enter()
    if (!midInstruction) this.#keepPart(block, most)
  }

  /** A part that ran before is kept: a loop is cut at the same place again and again. */
  #keepPart(block: CodeBlock, most: number): void {
    const key = partKey(block.pc, most)
    const kept = this.#parts.get(key)
    if (kept === block) return
    if (this.#parts.size >= MAX_PARTS) this.#forgetParts()
    this.#parts.set(key, kept === undefined ? null : block)
    if (kept === undefined) this.#code.drop(block)
  }

  #forgetParts(): void {
    for (const part of this.#parts.values()) if (part !== null) this.#code.drop(part)
    this.#parts.clear()
  }

  /** Runs `count` instructions of the block at state's PC by a break after them. False: that can't be done. */
  #runToBreak(count: number): boolean {
    const ip = this.#next(0)
    if (ip === 0) return false
    const block = this.#code.block(ip + ENTRY_WORDS)
    const { instructions: length } = block
    // Between a branch and its delay slot there is state that the whole block does not keep.
    if (count >= length || (block.lastInDelaySlot && count === length - 1)) return false
    this.#breakBefore(block, count)
    this.#loop.remaining -= length
    this.#loop.block = block.ip
    this.#loop.ip = block.ip + BLOCK_WORDS
    if (this.#runHotLoop() === Left.look)
      this.#parted = { block, index: count, base: this.#loop.base, context: this.#codeContext }
    return true
  }

  /** Whether the rest of a block that the limit cut is next, and the limit does not cut that too. */
  #canResume(): boolean {
    if (this.#parted === undefined) return false
    const { block, index, base, context } = this.#parted
    return (
      this.#code.isUsed(block) &&
      ((base + this.#code.pcOf(block, index)) | 0) === this.#loop.pc &&
      context === this.#codeContext &&
      block.instructions - index <= this.#loop.remaining &&
      !this.#isa.midInstruction
    )
  }

  /** Goes on with it: what its first part left in scratch slots is still there, since no code ran meanwhile. */
  #resume(): number {
    const { block, index, base } = this.#parted!
    this.#loop.base = base
    this.#loop.block = block.ip
    this.#loop.ip = this.#code.startOf(block, index)
    this.#loop.remaining -= block.instructions - index
    return this.#runHotLoop()
  }

  /**
   * The code at state's PC: what was made before or, for a part of a block always, lifted and compiled now. Undefined
   * where it can't be fetched, after taking that trap.
   */
  #makeBlock(most?: number): CodeBlock | undefined {
    const pc = this.#loop.pc
    const codePage = this.#knownPage(pc, jumpContext(this.#isa.fixed, pc, this.#codeContext)) ?? this.#findPage(pc)
    if (codePage === undefined) {
      // The attempt to fetch counts as an instruction.
      this.#loop.remaining--
      this.#isa.takeTrap(pc, this.#isa.midInstruction)
      return undefined
    }
    this.#rebase()
    const { midInstruction } = this.#isa
    const known = this.#knownBlock(codePage, pc, most)
    if (known !== undefined) return known
    const block = this.#liftBlock(codePage, (pc - this.#loop.base) | 0, most)
    if (block === undefined) {
      this.#makeRoom()
      return this.#makeBlock(most)
    }
    if (!midInstruction && most === undefined) this.#translator.blockMade(block, this.#loop.base)
    return block
  }

  /** Makes the block at `pc`, as it counts. Undefined where there is no room for it. */
  #liftBlock(codePage: CodePage, pc: number, most: number | undefined): CodeBlock | undefined {
    const { midInstruction } = this.#isa
    const made = midInstruction ? this.#lift(codePage, pc, most) : this.#lifted(codePage, pc, most)
    const keep = midInstruction ? 'delaySlot' : most === undefined ? 'entry' : undefined
    const block = this.#code.add(codePage, made, keep)
    if (block === undefined) return undefined
    if (!this.#memory.hasCode(codePage.page) && this.#memory.isDirty(codePage.page)) {
      this.#softTlb.markCode(codePage.page)
    }
    this.#memory.markCode(codePage.page * PAGE_BYTES + (pc & OFFSET_MASK), made.length)
    return block
  }

  #lift(codePage: CodePage, pc: number, most: number | undefined): NewBlock {
    const made = this.#builder
    made.begin(codePage.address === RELATIVE)
    this.#isa.lift(made, this.#window(codePage), pc, most ?? MAX_BLOCK_INSTRUCTIONS, most !== undefined)
    return made
  }

  /** As this or an earlier run has lifted it, or as it is lifted now. */
  #lifted(codePage: CodePage, pc: number, most: number | undefined): NewBlock {
    const lifted = this.#liftedCode
    if (lifted === undefined) return this.#lift(codePage, pc, most)
    const { page, address, flags } = codePage
    const { words } = this.#memory
    const first = (BACKING_BASE + page * PAGE_BYTES + (pc & OFFSET_MASK)) / 4
    const key = { pc, flags, relative: address === RELATIVE, bigEndian: this.#isa.bigEndian, cut: most ?? 0 }
    if (lifted.find(key, words, first)) return lifted
    const made = this.#lift(codePage, pc, most)
    lifted.add(key, words, first, made)
    return made
  }

  #knownBlock(codePage: CodePage, pc: number, most: number | undefined): CodeBlock | undefined {
    if (this.#isa.midInstruction) return codePage.delaySlots.get(pc & OFFSET_MASK)
    if (most !== undefined) {
      const part = this.#parts.get(partKey((pc - this.#loop.base) | 0, most))
      return part?.codePage === codePage && this.#code.isUsed(part) ? part : undefined
    }
    const entry = codePage.entries[(pc & OFFSET_MASK) >>> this.#codeShift]!
    return entry === 0 ? undefined : this.#code.block(entry + ENTRY_WORDS)
  }

  #window({ page, address, flags }: CodePage): FetchWindow {
    const first = (BACKING_BASE + page * PAGE_BYTES) / 4
    const kind = { bigEndian: this.#isa.bigEndian, flags, relative: address === RELATIVE }
    return new PageWindow(this.#memory.words, first, address, kind)
  }

  /** The page of code at `pc`; undefined, with the trap set, where it can't be fetched from. */
  #findPage(pc: number): CodePage | undefined {
    const physical = this.#isa.translate(pc, 'fetch')
    if (this.trap.pending) return undefined
    const page = this.#memory.readablePage(physical)
    if (page < 0) {
      this.#isa.busError(pc, 'fetch')
      return undefined
    }
    const address = this.#isa.isRelative(pc) ? RELATIVE : pc & ~OFFSET_MASK
    const codePage = this.#code.codePage(address, page, this.#isa.codeFlags(pc))
    const entry = (pc >>> PAGE_SHIFT) % CODE_PAGES.entries
    const tag = (pc & ~OFFSET_MASK) | jumpContext(this.#isa.fixed, pc, this.#codeContext)
    this.#pages[entry] = codePage
    this.#foundTags[entry] = tag
    this.#pageTags[2 * entry] = tag
    this.#pageTags[2 * entry + 1] = codePage.id
    return codePage
  }

  // --- What the hot loop calls ---------------------------------------------------------------------------------------

  /**
   * The code of state's PC, or 0. `link` is where the block under way may have its place for next time, in bytes, or 0.
   */
  #next(link: number): number {
    const pc = this.#loop.pc
    const { words } = this.#code
    // Only code of one page is linked: what stands behind another page may change.
    const isLinked = link !== 0 && (((this.#loop.base + words[this.#loop.block + BLOCK_PC]!) ^ pc) & ~OFFSET_MASK) === 0
    this.#linkSlot = isLinked ? link / 4 : 0
    const context = jumpContext(this.#isa.fixed, pc, this.#codeContext)
    let ip = this.#jumpCache.find(pc, context)
    if (ip === 0) {
      ip = this.#lookUp(pc, context)
      if (ip !== 0) this.#jumpCache.set(pc, context, ip)
      else ip = this.#makeEntry(pc, context)
    }
    if (ip !== 0 && isLinked) words[this.#linkSlot] = 4 * ip
    this.#rebase()
    return ip
  }

  /** The code at `pc`, made now; 0 where it can't be fetched, or there is no room: that is for `#makeBlock`. */
  #makeEntry(pc: number, context: number): number {
    const codePage = this.#knownPage(pc, context)
    const place = codePage?.address === RELATIVE ? pc & OFFSET_MASK : pc
    const block = codePage && this.#liftBlock(codePage, place, undefined)
    if (block === undefined) return 0
    this.#translator.blockMade(block, pc - place)
    return block.ip - ENTRY_WORDS
  }

  /** Makes `base` that of state's PC. */
  #rebase(): void {
    const pc = this.#loop.pc
    this.#loop.base = this.#isa.isRelative(pc) ? pc & ~OFFSET_MASK : 0
  }

  /** The code at `pc` by way of its page; 0: there is none. */
  #lookUp(pc: number, context: number): number {
    const codePage = this.#pageAt(pc, context)
    return codePage === undefined ? 0 : codePage.entries[(pc & OFFSET_MASK) >>> this.#codeShift]!
  }

  #pageAt(pc: number, context: number): CodePage | undefined {
    const codePage = this.#knownPage(pc, context) ?? this.#findPage(pc)
    // What can't be fetched is found to be so again, and the trap taken, where there is none of its code.
    this.trap.pending = false
    return codePage
  }

  /** The page of code at `pc` if it was found lately. `context` as `jumpContext` gives it. */
  #knownPage(pc: number, context: number): CodePage | undefined {
    const entry = (pc >>> PAGE_SHIFT) % CODE_PAGES.entries
    const isKnown = this.#pageTags[2 * entry] === ((pc & ~OFFSET_MASK) | context)
    return isKnown && (pc & ((1 << this.#codeShift) - 1)) === 0 ? this.#pages[entry] : undefined
  }

  /** The page of code that was found at `address` last in this context; that may be another's now. */
  #likelyPage(address: number): CodePage | undefined {
    const entry = (address >>> PAGE_SHIFT) % CODE_PAGES.entries
    const context = jumpContext(this.#isa.fixed, address, this.#codeContext)
    return this.#foundTags[entry] === ((address & ~OFFSET_MASK) | context) ? this.#pages[entry] : undefined
  }

  /** The block entered at `entry` has been entered often. */
  #hot(entry: number): void {
    this.#translator.translate(this.#code.block(entry + ENTRY_WORDS), this.#loop.base)
    this.#translator.install()
  }

  /** Translated code has left the access at state's PC to the interpreter. */
  #missed(): void {
    const pc = this.#loop.pc
    const codePage = this.#pageAt(pc, jumpContext(this.#isa.fixed, pc, this.#codeContext))
    if (codePage !== undefined) this.#translator.missed(codePage, pc, this.#limit - this.#loop.remaining)
  }

  #fault(code: number): void {
    this.trap.code = code
    this.trap.pending = true
  }

  /** After a call in an instruction: 1, or 0 if it has raised a trap. */
  #done(): 0 | 1 {
    if (this.#breakRequested) this.#armBreak()
    return this.trap.pending ? 0 : 1
  }

  #callHelper(helper: number, a: number, b: number, c: number, d: number, e: number): 0 | 1 {
    const value = this.#isa.helpers[helper]!(a, b, c, d, e)
    this.state[SLOW_VALUE] = value as number
    return this.#done()
  }

  /** A load that was not done where it stands: of a kind as in `layout.ts`. */
  #slowLoad(address: number, kind: number): 0 | 1 {
    const access = (kind & FOR_WRITE) !== 0 ? 'write' : 'read'
    const width = kind & 0xff
    if (width === 64) this.#slowLoad64(address)
    else if ((kind & DOWN) !== 0) this.state[SLOW_VALUE] = this.#slowLoadDown(address, access)
    else this.state[SLOW_VALUE] = this.load(address, width as Width, access)
    return this.#done()
  }

  #slowLoadDown(address: number, access: AccessKind): number {
    const physical = this.#isa.translate(address, access)
    if (this.trap.pending) return 0
    return this.#loadPhysical(address & ~3, physical - (address & 3), 32, access)
  }

  #slowLoad64(address: number): void {
    if ((address & 7) !== 0) {
      this.#isa.misaligned(address, 'read')
      return
    }
    const low = this.load(address, 32)
    if (this.trap.pending) return
    const high = this.load(address + 4, 32)
    this.state[SLOW_VALUE] = low
    this.state[SLOW_VALUE + 1] = high
  }

  /** A store of what is in the slot. */
  #slowStore(address: number, kind: number, slot: number): 0 | 1 {
    const value = this.state[slot / 4]!
    const width = kind & 0xff
    if (width === 64) this.#slowStore64(address, value, this.state[slot / 4 + 1]!)
    else if ((kind & DOWN) !== 0) this.#slowStoreDown(address, value)
    else this.store(address, width as Width, value)
    return this.#done()
  }

  /** Stores to the word around `address`; a fault reports `address` as it is. */
  #slowStoreDown(address: number, value: number): void {
    this.#isa.translate(address, 'write')
    if (!this.trap.pending) this.store(address & ~3, 32, value)
  }

  #slowStore64(address: number, low: number, high: number): void {
    if ((address & 7) !== 0) {
      this.#isa.misaligned(address, 'write')
      return
    }
    this.store(address, 32, low)
    if (!this.trap.pending) this.store(address + 4, 32, high)
  }

  /** Makes the loop come back with `look` before the next instruction. */
  #armBreak(): void {
    this.#breakRequested = false
    const block = this.#code.block(this.#loop.block)
    const index = this.#code.instructionAt(block, this.#loop.ip) + 1
    const last = block.instructions
    // The block's end is the next boundary where only a delay slot, or nothing, is left.
    if (index >= last || (block.lastInDelaySlot && index === last - 1)) {
      this.#limit -= this.#loop.remaining
      this.#cells.limitIs(this.#limit)
      this.#loop.remaining = 0
      return
    }
    this.#breakBefore(block, index)
  }

  /** Puts the one break there is before instruction `index` of `block`. */
  #breakBefore(block: CodeBlock, index: number): void {
    if (this.#brokenIp !== 0) this.#mend()
    this.#brokenIndex = index
    const { words } = this.#code
    this.#brokenIp = this.#code.startOf(block, index)
    this.#brokenOpcode = words[this.#brokenIp]!
    this.#partedIp = this.#code.joinedWith(block, index)
    this.#partedOpcode = words[this.#partedIp]!
    if (this.#partedIp !== 0) words[this.#partedIp] = firstJoined(this.#partedOpcode)
    words[this.#brokenIp] = BREAK
  }

  #disarmBreak(): void {
    const block = this.#code.block(this.#loop.block)
    const index = this.#brokenIndex
    this.#mend()
    this.#loop.remaining += block.instructions - index
    this.state[this.#isa.pcOffset / 4] = this.#loop.base + this.#code.pcOf(block, index)
  }

  #mend(): void {
    this.#code.words[this.#brokenIp] = this.#brokenOpcode
    if (this.#partedIp !== 0) this.#code.words[this.#partedIp] = this.#partedOpcode
    this.#brokenIp = 0
  }

  // --- Execution: what the ISA calls ---------------------------------------------------------------------------------

  load(address: number, width: 8 | 16 | 32, kind: AccessKind = 'read'): number {
    if ((address & (width / 8 - 1)) !== 0) {
      this.#isa.misaligned(address, kind)
      return 0
    }
    const physical = this.#isa.translate(address, kind)
    if (this.trap.pending) return 0
    return this.#loadPhysical(address, physical, width, kind)
  }

  #loadPhysical(address: number, physical: number, width: 8 | 16 | 32, kind: AccessKind): number {
    const page = this.#memory.readablePage(physical)
    if (page < 0) {
      if (this.#translator.calling) {
        this.trap.pending = true
        return 0
      }
      const value = this.#port!.read(physical, (width / 8) as 1 | 2 | 4)
      if (value === BUS_ERROR) {
        this.#isa.busError(address, kind)
        return 0
      }
      this.#limitMayBeNearer()
      return this.#atPort(value, width) | 0
    }
    this.#memory.reached(page, physical)
    if (kind === 'read') this.#softTlb.fillRead(address, this.#isa.context(), page)
    const byte = BACKING_BASE + page * PAGE_BYTES + (physical & OFFSET_MASK)
    if (width === 8) return this.#memory.bytes[byte]!
    return width === 16 ? this.#memory.halves[byte >>> 1]! : this.#memory.words[byte >>> 2]!
  }

  store(address: number, width: 8 | 16 | 32, value: number): void {
    if ((address & (width / 8 - 1)) !== 0) {
      this.#isa.misaligned(address, 'write')
      return
    }
    const physical = this.#isa.translate(address, 'write')
    if (this.trap.pending) return
    const page = this.#memory.writablePage(physical)
    if (this.#translator.calling && (page < 0 || this.#memory.hasCode(page))) {
      this.trap.pending = true
      return
    }
    if (page < 0) {
      if (!this.#port!.write(physical, (width / 8) as 1 | 2 | 4, this.#portValue(value, width)))
        this.#isa.busError(address, 'write')
      this.#limitMayBeNearer()
      return
    }
    this.#memory.markDirty(page)
    this.#memory.reached(page, physical)
    const byte = BACKING_BASE + page * PAGE_BYTES + (physical & OFFSET_MASK)
    if (width === 8) this.#memory.bytes[byte] = value
    else if (width === 16) this.#memory.halves[byte >>> 1] = value
    else this.#memory.words[byte >>> 2] = value
    if (this.#memory.isCode(byte - BACKING_BASE, width / 8)) this.#codeWritten(byte - BACKING_BASE, width / 8)
    else this.#softTlb.fillWrite(address, this.#isa.context(), page, this.#memory.hasCode(page))
  }

  /**
   * The IR's loads and stores are little-endian, and a big-endian ISA's code swaps around them; the port takes and gives
   * values as the guest's registers hold them.
   */
  #atPort(value: number, width: 8 | 16 | 32): number {
    if (!this.#isa.bigEndian || width === 8) return value
    return width === 16 ? ((value & 0xff) << 8) | ((value >>> 8) & 0xff) : swapBytes(value)
  }

  /** The low `width` bits of a register, unsigned, as the port takes them. */
  #portValue(value: number, width: 8 | 16 | 32): number {
    return this.#atPort(value & (0xffff_ffff >>> (32 - width)), width) >>> 0
  }

  physicalAddress(address: number, kind: AccessKind): number {
    return this.#isa.translate(address, kind)
  }

  forgetTranslations(address: number, length: number): void {
    this.#softTlb.forget(address, length)
    this.#forgetPages(address, length)
  }

  #forgetPages(address: number, length: number): void {
    this.#jumpCache.forget(address, length)
    const first = address >>> PAGE_SHIFT
    const pages = Math.min(length / PAGE_BYTES, CODE_PAGES.entries)
    for (let page = first; page < first + pages; page++) this.#pageTags[2 * (page % CODE_PAGES.entries)] = NO_PAGE
  }

  forgetCode(): void {
    this.#flushRequested = true
    this.breakAfterInstruction()
  }

  breakAfterInstruction(): void {
    this.#breakRequested = true
  }

  /** After an access that went to the bus: what it set off may be due before what was known. */
  #limitMayBeNearer(): void {
    if (this.#port!.limit < this.#limit) this.#breakRequested = true
  }

  /** Physical pages stand elsewhere, in the middle of an instruction perhaps: code under way may no longer be there. */
  #mappingChanged(): void {
    this.forgetPortCells()
    this.forgetTranslations(0, 2 ** 32)
    if (this.#translator.mappingChanged()) {
      this.#flushRequested = true
      // Now, since memory is still to be filled where the machine was just made.
      this.#translator.prepare(this.icount)
    }
    const { window } = this.#translator
    this.#directBytes = window?.bytes ?? 0
    this.state[SCRATCH.directAddend / 4] = window === undefined ? 0 : window.host - window.address
    this.state[SCRATCH.directBytes / 4] = 0
    this.#breakRequested = true
  }

  /** Bytes that code may have been made from were written. */
  #codeWritten(offset: number, length: number): void {
    const first = offset >>> PAGE_SHIFT
    const last = (offset + length - 1) >>> PAGE_SHIFT
    const forgotten: CodeBlock[] = []
    for (let page = first; page <= last; page++) {
      const start = Math.max(offset - page * PAGE_BYTES, 0)
      const end = Math.min(offset + length - page * PAGE_BYTES, PAGE_BYTES)
      const { stale, regions, kept } = this.#code.written(page, start, end - start)
      if (stale.length > 0) {
        this.#translator.drop(regions)
        if (this.#running && stale.some(({ ip }) => ip === this.#loop.block)) this.#breakRequested = true
        forgotten.push(...stale)
      }
      // What no block is made from any more is data: stores to it need not come here.
      this.#memory.clearCode(page * PAGE_BYTES + start, end - start)
      for (const { pc, length: bytes } of kept) this.#memory.markCode(page * PAGE_BYTES + (pc & OFFSET_MASK), bytes)
    }
    if (forgotten.length > 0) this.#forgetBlocks(forgotten)
  }

  #forgetBlocks(stale: readonly CodeBlock[]): void {
    const relative = new Set<number>()
    for (const { codePage, pc, ip } of stale) {
      if (codePage.address === RELATIVE) relative.add(ip - ENTRY_WORDS)
      else this.#jumpCache.forgetBlock(pc, ip - ENTRY_WORDS)
    }
    if (relative.size > 0) this.#jumpCache.forgetRelativeBlocks(relative)
  }

  /** For more code: drops what is used least, or all if that is not enough. Only between runs of the hot loop. */
  #makeRoom(): void {
    const before = this.#code.fullness
    this.#code.reclaim()
    this.#linkSlot = 0
    this.#forgetPages(0, 2 ** 32)
    this.#pages.fill(undefined)
    const { fullness } = this.#code
    if (fullness === before || fullness > KEPT_FRACTION) this.#flush()
  }

  /** Drops all code. Only between runs of the hot loop. */
  #flush(): void {
    this.#flushRequested = false
    for (const page of this.#code.codePages) this.#memory.clearCode(page * PAGE_BYTES, PAGE_BYTES)
    this.#code.clear()
    this.#translator.clear()
    this.#linkSlot = 0
    this.#parted = undefined
    this.#parts.clear()
    this.#forgetPages(0, 2 ** 32)
    this.#pages.fill(undefined)
  }
}

/** Of the first `most` instructions of the block at `pc`, as it counts. */
function partKey(pc: number, most: number): number {
  return (pc >>> 0) * 2 * MAX_BLOCK_INSTRUCTIONS + most
}
