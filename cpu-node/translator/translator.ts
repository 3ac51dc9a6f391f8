/**
 * The hot tier: regions of guest code as WebAssembly functions, and what those call back for.
 *
 * Nothing that a guest can see depends on whether or when code is translated. A region does plain operations only; for
 * all else (faults, devices, code that is written to) it leaves before the instruction, which the interpreter then does.
 */
import { type CodeBlock, type CodeCache, type CodePage, RELATIVE, type Region } from '../interpreter/code-cache.ts'
import type { FetchWindow, Isa, Trap } from '../isa/isa.ts'
import { BACKING_BASE, type GuestMemory, PAGE_BYTES, SCRATCH } from '../memory.ts'
import type { SoftTlb } from '../soft-tlb.ts'
import { encodeModule } from '../wasm/module.ts'
import { encodeDispatcher } from './dispatcher.ts'
import { emitRegion, type InlineCallOf } from './emit.ts'
import { DOWN, FOR_WRITE, IMPORTS, type Layout, REGION_SIGNATURE, SIGNED, type Window } from './layout.ts'
import { collectRegion } from './region.ts'

const OFFSET_MASK = PAGE_BYTES - 1
/** Instructions lifted into one block at most. */
const MAX_BLOCK_INSTRUCTIONS = 64
/** Each live module takes a memory mapping of the process, of which there are some 65,000. */
const MAX_REGIONS = 16_384

/** Runs translated code: (place of a `translated`, instructions that may be begun, soft TLB context) -> instructions left. */
export type Dispatch = (entry: number, budget: number, context: number) => number

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
  /** Of a device, where that takes no message: an unsigned value, or -1. */
  loadKept(physical: number, width: 8 | 16 | 32): number
  /** False: it takes a message. */
  storeKept(physical: number, width: 8 | 16 | 32, value: number): boolean
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
  /** By region number. */
  readonly #table = new WebAssembly.Table({ element: 'anyfunc', initial: MAX_REGIONS, maximum: MAX_REGIONS })
  #regions = 0
  #blocks = 0
  #numbers = 0
  readonly #free: number[] = []

  constructor(parts: TranslatorParts) {
    this.#parts = parts
    this.#layout = { ...parts.isa.layout, ...SCRATCH, flagBase: parts.memory.flagBase }
    const { memory } = parts.memory
    const dispatcher = encodeDispatcher({
      memoryPages: parts.memory.wasmPages,
      tableEntries: MAX_REGIONS,
      pc: parts.isa.layout.pc,
      arenaBase: parts.memory.arenaBase,
      chunkBase: parts.memory.chunkBase,
      fixed: parts.isa.fixed,
    })
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(dispatcher), {
      env: {
        memory,
        table: this.#table,
        slowStore: (address: number, value: number, kind: number) => this.#store(address, value, kind),
      },
    })
    this.dispatch = exports['dispatch'] as Dispatch
    this.#imports = {
      env: {
        memory,
        load: (address: number, kind: number) => this.#load(address, kind),
        store: exports['store'],
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
    return this.#numbers - this.#free.length < MAX_REGIONS
  }

  get statistics(): { regions: number; regionBlocks: number; translatedInstructions: number } {
    const low = this.#parts.state[SCRATCH.translated >> 2]! >>> 0
    const high = this.#parts.state[(SCRATCH.translated >> 2) + 1]!
    return { regions: this.#regions, regionBlocks: this.#blocks, translatedInstructions: high * 2 ** 32 + low }
  }

  clear(): void {
    for (let number = 0; number < this.#numbers; number++) this.#table.set(number, null)
    this.#numbers = 0
    this.#free.length = 0
  }

  drop(regions: readonly Region[]): void {
    for (const { number } of regions) {
      this.#table.set(number, null)
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
    const lift = (pc: number) => isa.lift(window(this.#pageOf(hot, pc)!), pc, MAX_BLOCK_INSTRUCTIONS, false)
    const blocks = collectRegion(hot.pc, lift, isWarm)
    if (blocks === undefined) return
    const inlineCall: InlineCallOf = (helper, args) => isa.inlineCall?.(helper, args)
    const name = `guest 0x${(hot.pc >>> 0).toString(16)}`
    const bytes = encodeModule({
      memoryPages: memory.wasmPages,
      imports: IMPORTS,
      functions: [
        { name, signature: REGION_SIGNATURE, body: emitRegion(blocks, this.#layout, this.#windowFor(hot), inlineCall) },
      ],
    })
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports)
    const number = this.#free.pop() ?? this.#numbers++
    this.#table.set(number, instance.exports[name])
    this.#regions++
    this.#blocks += blocks.length
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

  #windowFor({ codePage: { address } }: CodeBlock): Window | undefined {
    const { mask, value } = this.#parts.isa.fixed
    return (address & mask) === value ? this.#window : undefined
  }

  /** Physical pages stand elsewhere. True: all code must be dropped before any runs. */
  mappingChanged(): boolean {
    const { isa, memory } = this.#parts
    const { address, physical, bytes: most } = isa.direct
    const { backing, bytes } = memory.ramFrom(physical, most)
    const known = this.#window
    if (known === undefined ? bytes === 0 : known.bytes === bytes && known.host === BACKING_BASE + backing) return false
    this.#window =
      bytes === 0 ? undefined : { address, bytes, host: BACKING_BASE + backing, page: Math.floor(backing / PAGE_BYTES) }
    return true
  }

  /** The page of code at `pc`, where `pc` may be in one region with `hot`. */
  #pageOf(hot: CodeBlock, pc: number): CodePage | undefined {
    if (hot.codePage.address === RELATIVE) return pc >>> 0 < PAGE_BYTES ? hot.codePage : undefined
    const { isa, memory, code } = this.#parts
    if (((pc ^ hot.codePage.address) & ~OFFSET_MASK) === 0) return hot.codePage
    const { mask, value } = isa.fixed
    if ((hot.pc & mask) !== value || (pc & mask) !== value) return undefined
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
    if (page < 0) return (kind & (DOWN | 64)) === 0 ? this.#loadKept(physical, kind) : 0
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

  #loadKept(physical: number, kind: number): 0 | 1 {
    this.calling = true
    const value = this.#parts.loadKept(physical, (kind & 0xff) as 8 | 16 | 32)
    this.calling = false
    if (value < 0) return 0
    this.#parts.state[SCRATCH.slowValue >> 2] = extend(value, kind)
    return 1
  }

  #store(address: number, value: number, kind: number): number {
    const { isa, memory, softTlb } = this.#parts
    const physical = this.#physical(address, kind, 'write')
    if (physical < 0) return 0
    const width = kind & 0xff
    const page = memory.writablePage(physical)
    if (page < 0) {
      return (kind & DOWN) === 0 && this.#parts.storeKept(physical, width as 8 | 16 | 32, value) ? 1 : 0
    }
    const offset = page * PAGE_BYTES + (physical & OFFSET_MASK)
    if (memory.isCode(offset, width / 8)) return 0
    const byte = BACKING_BASE + offset
    memory.markDirty(page)
    if (width === 8) memory.bytes[byte] = value
    else if (width === 16) memory.halves[byte >>> 1] = value
    else memory.words[byte >>> 2] = value
    softTlb.fillWrite(address, isa.context(), page, memory.hasCode(page))
    return 1
  }
}

/** A loaded value of a kind's width, as its register holds it. */
function extend(value: number, kind: number): number {
  const bits = 32 - (kind & 0xff)
  return (kind & SIGNED) !== 0 && bits > 0 ? (value << bits) >> bits : value | 0
}
