/**
 * The port cell cache: device registers that translated code reads and writes without a call of JavaScript, because the
 * port has said in a `PortCell` what such an access does.
 *
 * Two direct-mapped tables by virtual address, of loads that give a kept answer and of stores: into index registers, and those that
 * are messages, which are for the interpreter. Only addresses that mean the same in every address space (`Isa.fixed`) are in them. An
 * entry is eight words:
 *
 *     0  address
 *     1  tag: the kind of access, and what of the context matters, shifted past it; or EMPTY
 *     2  place of the port word, as a byte in CPU memory; of a load that looks at none: of its own index; of a message: 0
 *     3  loads: the index that must stand there. Stores: mask of what is stored there
 *     4  loads: the value, as a guest register holds it
 *     5  loads: holds while more instructions than this are left before the limit
 *     6  unused
 *     7  unused
 */
import type { Clock, IndexCell, KeptCell, Vt } from '../bus/mod.ts'
import { type FixedAddresses, isFixed } from './isa/isa.ts'
import { PORT_CELL_CACHE_BASE, PORT_WORDS_BASE } from './memory.ts'

const ENTRIES = 64
const ENTRY_SHIFT = 5
const ENTRY_WORDS = 2 ** ENTRY_SHIFT / 4
const TABLE_BYTES = ENTRIES * 4 * ENTRY_WORDS
const ADDRESS = 0
const TAG = 1
const PLACE = 2
const INDEX = 3
const MASK = 3
const VALUE = 4
const LEFT = 5
/** A tag that none is equal to: there is no kind 0. */
const EMPTY = 0
/** In place of a port word's. */
const MESSAGE = 0
const MIN_LEFT = -(2 ** 31)
const MAX_LEFT = 2 ** 31 - 1

/** The port cell cache as generated code knows it: byte offsets, of the tables in CPU memory and within an entry. */
export const PORT_CELL_CACHE = {
  loads: PORT_CELL_CACHE_BASE,
  stores: PORT_CELL_CACHE_BASE + TABLE_BYTES,
  entryMask: ENTRIES - 1,
  entryShift: ENTRY_SHIFT,
  /** tag = kind | (context & fixed.contextMask) << contextShift */
  contextShift: 12,
  address: 4 * ADDRESS,
  tag: 4 * TAG,
  place: 4 * PLACE,
  index: 4 * INDEX,
  mask: 4 * MASK,
  value: 4 * VALUE,
  left: 4 * LEFT,
} as const

export class PortCellCache {
  readonly #loads: Int32Array
  readonly #stores: Int32Array
  readonly #fixed: FixedAddresses
  readonly #clock: Clock
  #limit = 0
  /** When the loads that are in the table end, by the word at which their entry begins. */
  readonly #until = new Map<number, Vt>()
  /** The words at which the entries of the stores in the table begin. */
  readonly #storesAt = new Set<number>()

  constructor(buffer: ArrayBuffer, fixed: FixedAddresses, clock: Clock) {
    this.#loads = new Int32Array(buffer, PORT_CELL_CACHE.loads, ENTRIES * ENTRY_WORDS)
    this.#stores = new Int32Array(buffer, PORT_CELL_CACHE.stores, ENTRIES * ENTRY_WORDS)
    this.#fixed = fixed
    this.#clock = clock
  }

  /** A load of `kind` from `address` gives `value` while `cell` holds. */
  addLoad(address: number, kind: number, context: number, cell: KeptCell, value: number): void {
    const at = this.#add(this.#loads, address, kind, context, cell.word)
    if (at < 0) return
    this.#loads[at + INDEX] = cell.index
    this.#loads[at + VALUE] = value
    this.#loads[at + LEFT] = this.#leftAt(cell.until)
    this.#until.set(at, cell.until)
  }

  /** A store of `kind` to `address` goes to the port word of `cell`, masked by `mask`. */
  addStore(address: number, kind: number, context: number, cell: IndexCell, mask: number): void {
    const at = this.#add(this.#stores, address, kind, context, cell.word)
    if (at < 0) return
    this.#stores[at + MASK] = mask
    this.#storesAt.add(at)
  }

  /** A store of `kind` to `address` is a message: as long as nothing is mapped elsewhere, it is no index register's. */
  addMessage(address: number, kind: number, context: number): void {
    const at = this.#add(this.#stores, address, kind, context, -1)
    if (at < 0) return
    this.#stores[at + PLACE] = MESSAGE
    this.#storesAt.add(at)
  }

  /** The instructions left are counted to `limit` from now on. The clock may have moved, too. */
  limitIs(limit: number): void {
    this.#limit = limit
    for (const [at, until] of this.#until) this.#loads[at + LEFT] = this.#leftAt(until)
  }

  /** Costs what was added since. */
  forget(): void {
    this.forgetLoads()
    if (this.#storesAt.size === 0) return
    for (const at of this.#storesAt) this.#stores[at + TAG] = EMPTY
    this.#storesAt.clear()
  }

  /** The same for loads only. */
  forgetLoads(): void {
    if (this.#until.size === 0) return
    for (const at of this.#until.keys()) this.#loads[at + TAG] = EMPTY
    this.#until.clear()
  }

  /** The entry's first word in `table`, or -1: such an address is not kept. */
  #add(table: Int32Array, address: number, kind: number, context: number, word: number): number {
    if (!isFixed(this.#fixed, address)) return -1
    const entry = address & PORT_CELL_CACHE.entryMask
    const at = entry * ENTRY_WORDS
    table[at + ADDRESS] = address
    table[at + TAG] = kind | ((context & this.#fixed.contextMask) << PORT_CELL_CACHE.contextShift)
    table[at + PLACE] = word < 0 ? table.byteOffset + 4 * (at + INDEX) : PORT_WORDS_BASE + 4 * word
    return at
  }

  /** How many instructions are left at the first boundary at or after `vt`; below 0: it is beyond the limit. */
  #leftAt(vt: Vt): number {
    const left = this.#limit - this.#clock.icountAt(vt)
    return Math.max(MIN_LEFT, Math.min(MAX_LEFT, left))
  }
}
