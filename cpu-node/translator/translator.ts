/**
 * The hot tier: regions of guest code as WebAssembly functions, and what those call back for.
 *
 * Nothing that a guest can see depends on whether or when code is translated. A region does plain operations only; for
 * all else (faults, devices, code that is written to) it leaves before the instruction, which the interpreter then does.
 */
import type { CodeBlock, CodeCache, CodePage, Region } from '../interpreter/code-cache.ts'
import type { FetchWindow, Isa, Trap } from '../isa/isa.ts'
import { BACKING_BASE, type GuestMemory, PAGE_BYTES, SCRATCH } from '../memory.ts'
import type { SoftTlb } from '../soft-tlb.ts'
import { encodeModule } from '../wasm/module.ts'
import { DOWN, emitRegion, FOR_WRITE, IMPORTS, REGION_SIGNATURE, SIGNED, type StateLayout } from './emit.ts'
import { collectRegion } from './region.ts'

const OFFSET_MASK = PAGE_BYTES - 1
/** Instructions lifted into one block at most. */
const MAX_BLOCK_INSTRUCTIONS = 64
/** Each live module takes a memory mapping of the process, of which there are some 65,000. */
const MAX_REGIONS = 16_384

/** (block to enter, instructions that may be begun, soft TLB context) -> instructions left. */
type RegionFunction = (entry: number, budget: number, context: number) => number

/** The parts of a CPU that translated code works on. */
export interface TranslatorParts {
  isa: Isa
  memory: GuestMemory
  softTlb: SoftTlb
  code: CodeCache
  state: Int32Array
  trap: Trap
  /** The bytes of a code page. */
  window(codePage: CodePage): FetchWindow
}

export class Translator {
  /** By region number; the hot loop calls them. */
  readonly regions: (RegionFunction | undefined)[] = []
  /** A helper of the ISA is running on behalf of translated code: its accesses go to memory, or fail. */
  calling = false
  readonly #parts: TranslatorParts
  readonly #layout: StateLayout
  readonly #imports: Record<string, Record<string, unknown>>
  readonly #free: number[] = []

  constructor(parts: TranslatorParts) {
    this.#parts = parts
    this.#layout = { ...parts.isa.layout, ...SCRATCH }
    this.#imports = {
      env: {
        memory: parts.memory.memory,
        slowLoad: (address: number, kind: number) => this.#load(address, kind),
        slowStore: (address: number, value: number, kind: number) => this.#store(address, value, kind),
        helper: (...args: [number, number, number, number, number, number]) => this.#call(...args),
      },
    }
  }

  /** Instructions left before the limit, while `calling`. */
  get left(): number {
    return this.#parts.state[SCRATCH.left >> 2]!
  }

  /** False: all code must be dropped before more is translated. */
  get hasRoom(): boolean {
    return this.regions.length - this.#free.length < MAX_REGIONS
  }

  clear(): void {
    this.regions.length = 0
    this.#free.length = 0
  }

  drop(regions: readonly Region[]): void {
    for (const { number } of regions) {
      this.regions[number] = undefined
      this.#free.push(number)
    }
  }

  /** Translates the region around `hot`, and lets the entries of its blocks lead there. */
  translate(hot: CodeBlock): void {
    const { isa, code, memory, window } = this.#parts
    const blockAt = (pc: number) => {
      const codePage = this.#pageOf(hot, pc)
      return codePage && code.blockAt(codePage, pc)
    }
    const isWarm = (pc: number) => {
      const block = blockAt(pc)
      return block !== undefined && code.isWarm(block)
    }
    const lift = (pc: number) => isa.lift(window(this.#pageOf(hot, pc)!), pc, MAX_BLOCK_INSTRUCTIONS)
    const blocks = collectRegion(hot.pc, lift, isWarm)
    if (blocks === undefined) return
    const bytes = encodeModule({
      memoryPages: memory.wasmPages,
      imports: IMPORTS,
      signature: REGION_SIGNATURE,
      functions: [emitRegion(blocks, this.#layout)],
    })
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports)
    const number = this.#free.pop() ?? this.regions.length
    this.regions[number] = instance.exports['0']
    const sources: Region['sources'][number][] = []
    const entered: Region['entered'][number][] = []
    for (const [index, { block }] of blocks.entries()) {
      const from = block.pc & OFFSET_MASK
      sources.push({ codePage: this.#pageOf(hot, block.pc)!, from, to: from + block.length })
      const found = blockAt(block.pc)
      // A block that another region has translated stays with that one.
      if (found !== undefined && (found === hot || !code.isTranslated(found))) entered.push({ block: found, index })
    }
    code.addRegion({ number, sources, entered })
  }

  /** The page of code at `pc`, where `pc` may be in one region with `hot`. */
  #pageOf(hot: CodeBlock, pc: number): CodePage | undefined {
    const { isa, memory, code } = this.#parts
    if (((pc ^ hot.codePage.address) & ~OFFSET_MASK) === 0) return hot.codePage
    if (!isa.isFixed(hot.pc) || !isa.isFixed(pc)) return undefined
    const page = memory.readablePage(isa.translate(pc, 'fetch'))
    return page < 0 ? undefined : code.findCodePage(pc & ~OFFSET_MASK, page, hot.codePage.flags)
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

  /** Where in backing memory an access goes, in bytes, or -1: the interpreter is to do it. */
  #offsetOf(address: number, kind: number, access: 'read' | 'write'): number {
    const { isa, memory, trap } = this.#parts
    const bytes = (kind & 0xff) / 8
    if ((kind & DOWN) === 0 && (address & (bytes - 1)) !== 0) return -1
    const physical = isa.translate(address, access)
    if (trap.pending) {
      trap.pending = false
      return -1
    }
    const page = access === 'write' ? memory.writablePage(physical) : memory.readablePage(physical)
    return page < 0 ? -1 : page * PAGE_BYTES + (physical & OFFSET_MASK & -bytes)
  }

  /** A load that missed the soft TLB, into the scratch word for it. 0: the interpreter is to do it. */
  #load(address: number, kind: number): number {
    const { isa, memory, softTlb, state } = this.#parts
    const access = (kind & FOR_WRITE) !== 0 ? 'write' : 'read'
    const offset = this.#offsetOf(address, kind, access)
    if (offset < 0) return 0
    if (access === 'read') softTlb.fillRead(address, isa.context(), Math.floor(offset / PAGE_BYTES))
    const width = kind & 0xff
    const byte = BACKING_BASE + offset
    const slot = SCRATCH.slowValue >> 2
    const narrow = width === 8 ? memory.bytes[byte]! : memory.halves[byte >>> 1]!
    if (width > 16) state[slot] = memory.words[byte >>> 2]!
    else state[slot] = (kind & SIGNED) !== 0 ? (narrow << (32 - width)) >> (32 - width) : narrow
    if (width === 64) state[slot + 1] = memory.words[(byte >>> 2) + 1]!
    return 1
  }

  #store(address: number, value: number, kind: number): number {
    const { isa, memory, softTlb } = this.#parts
    const offset = this.#offsetOf(address, kind, 'write')
    const width = kind & 0xff
    if (offset < 0 || memory.isCode(offset, width / 8)) return 0
    const page = Math.floor(offset / PAGE_BYTES)
    const byte = BACKING_BASE + offset
    memory.markDirty(page)
    if (width === 8) memory.bytes[byte] = value
    else if (width === 16) memory.halves[byte >>> 1] = value
    else memory.words[byte >>> 2] = value
    if (!memory.hasCode(page)) softTlb.fillWrite(address, isa.context(), page)
    return 1
  }
}
