/**
 * The hot tier: regions of guest code as WebAssembly functions, and what those call back for.
 *
 * Nothing that a guest can see depends on whether or when code is translated. A region does plain operations only; for
 * all else (faults, devices, code that is written to) it leaves before the instruction, which the interpreter then does.
 */
import type { PortCell } from '../../bus/mod.ts'
import { type CodeBlock, type CodeCache, type CodePage, RELATIVE, type Region } from '../interpreter/code-cache.ts'
import { type Isa, isFixed, type Trap } from '../isa/isa.ts'
import { BACKING_BASE, type GuestMemory, PAGE_BYTES, SCRATCH } from '../memory.ts'
import type { PortCellCache } from '../port-cell-cache.ts'
import type { SoftTlb } from '../soft-tlb.ts'
import type { RegionCompiler } from './compilers.ts'
import { encodeDispatcher } from './dispatcher.ts'
import { DOWN, FOR_WRITE, type Layout, SIGNED, type Window } from './layout.ts'
import { collectRegion } from './region.ts'
import { REGION_EXPORT, type RegionCode } from './translate.ts'

const OFFSET_MASK = PAGE_BYTES - 1
/** Each live module takes a memory mapping of the process, of which there are some 65,000. */
const MAX_REGIONS = 16_384

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
}

type Width = 8 | 16 | 32

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
  readonly #compiler: RegionCompiler
  /** Blocks of the regions being translated. */
  readonly #pending = new Map<number, readonly CodeBlock[]>()
  #nextId = 0
  #regions = 0
  #blocks = 0
  #numbers = 0
  readonly #free: number[] = []

  constructor(parts: TranslatorParts, compiler: RegionCompiler) {
    this.#compiler = compiler
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
        slowLoad: (address: number, kind: number) => this.#load(address, kind),
        slowStore: (address: number, value: number, kind: number) => this.#store(address, value, kind),
      },
    })
    this.dispatch = exports['dispatch'] as Dispatch
    this.#imports = {
      env: {
        memory,
        load: exports['load'],
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
    this.#pending.clear()
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

  /** Has the region around `hot` translated. */
  translate(hot: CodeBlock): void {
    const { code, memory } = this.#parts
    const blocks = collectRegion(hot, (pc) => {
      const codePage = this.#pageOf(hot, pc)
      const block = codePage && code.blockAt(codePage, pc)
      return block !== undefined && code.isWarm(block) ? block : undefined
    })
    const id = this.#nextId++
    this.#pending.set(id, blocks)
    code.translationPending(blocks)
    this.#compiler.submit({
      id,
      code: this.#codeOf(blocks),
      layout: this.#layout,
      window: this.#windowOf(hot.codePage.address),
      memoryPages: memory.wasmPages,
    })
  }

  /** Of blocks of one kind, copied. */
  #codeOf(blocks: readonly CodeBlock[]): RegionCode {
    const { isa, memory } = this.#parts
    const { address, flags } = blocks[0]!.codePage
    const relative = address === RELATIVE
    const fixed = !relative && isFixed(isa.fixed, address)
    const lengths = Int32Array.from(blocks, ({ length }) => length)
    const words = new Int32Array(lengths.reduce((sum, length) => sum + length, 0) / 4)
    let to = 0
    for (const { codePage, pc, length } of blocks) {
      const from = (pc & OFFSET_MASK) / 4
      words.set(memory.pageWords(codePage.page).subarray(from, from + length / 4), to)
      to += length / 4
    }
    const kind = { isa: isa.name, bigEndian: isa.bigEndian, flags, relative, fixed }
    return { kind, pcs: Int32Array.from(blocks, ({ pc }) => pc), lengths, words }
  }

  #windowOf(address: number): Window | undefined {
    return address !== RELATIVE && isFixed(this.#parts.isa.fixed, address) ? this.#window : undefined
  }

  /** Lets blocks lead to what has been translated of them. Not while translated code runs. */
  install(): void {
    if (this.#pending.size === 0) return
    for (const { id, module, pcs } of this.#compiler.finished()) {
      const requested = this.#pending.get(id)
      if (requested === undefined) continue
      this.#pending.delete(id)
      const blocks = new Map(requested.map((block) => [block.pc, block]))
      // Code that was overwritten meanwhile has lost its block; what is left counts anew.
      if (module !== undefined && requested.every((block) => block.codePage.blocks.has(block))) {
        this.#install(
          module,
          pcs.map((pc) => blocks.get(pc)!),
        )
      } else if (module !== undefined) this.#parts.code.translationFailed(requested)
    }
  }

  #install(module: WebAssembly.Module, blocks: readonly CodeBlock[]): void {
    const { code } = this.#parts
    const instance = new WebAssembly.Instance(module, this.#imports)
    const number = this.#free.pop() ?? this.#numbers++
    this.#table.set(number, instance.exports[REGION_EXPORT])
    this.#regions++
    this.#blocks += blocks.length
    code.addRegion({
      number,
      sources: blocks.map(({ codePage, pc, length }) => {
        const from = pc & OFFSET_MASK
        return { codePage, from, to: from + length }
      }),
      // A block that another region has translated stays with that one.
      entered: blocks.flatMap((block, index) => (code.isTranslated(block) ? [] : [{ block, index }])),
    })
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
    if (!isFixed(isa.fixed, hot.pc) || !isFixed(isa.fixed, pc)) return undefined
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
    if (page < 0) return (kind & (DOWN | 64)) === 0 ? this.#loadCell(address, physical, kind) : 0
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
    softTlb.fillWrite(address, isa.context(), page, memory.hasCode(page))
    return 1
  }
}

/** A loaded value of a kind's width, as its register holds it. */
function extend(value: number, kind: number): number {
  const bits = 32 - (kind & 0xff)
  return (kind & SIGNED) !== 0 && bits > 0 ? (value << bits) >> bits : value | 0
}
