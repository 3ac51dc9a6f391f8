/**
 * The soft TLB: what guest loads and stores look up first, without a call.
 *
 * Direct-mapped by virtual page, three words an entry, each kind in an array of its own:
 *
 *     0                read tag    virtual page | Isa.context(), or EMPTY
 *     ENTRIES          write tag   the same where a store may go straight to memory: the page is dirty, has no code in it,
 *                                  and the guest's mapping lets it be written
 *     2 * ENTRIES      addend      virtual address + addend = byte in CPU memory, modulo 2^32
 *
 * A write tag of a page that has code in it carries HAS_CODE besides.
 *
 * An access compares `address & (page | alignment bits) | context` with a tag. Context is in bits 3 to 11, alignment
 * bits are 0 and 1; EMPTY has bits 0 to 2 set: nothing equals it, nor an aligned address with HAS_CODE.
 *
 * A page that another of the same place drives out goes to a second way, which is alike. Only what misses the first looks
 * there: a program whose stack and data happen to be at one place does so without JavaScript.
 */
import { BACKING_BASE, PAGE_BYTES, PAGE_SHIFT, SECOND_WAY_BASE, SOFT_TLB_BASE } from './memory.ts'

export const SOFT_TLB_ENTRIES = 1024
export const SOFT_TLB_WORDS = 3 * SOFT_TLB_ENTRIES
/** In a write tag: whether the store hits code has to be looked up. */
export const HAS_CODE = 4
const EMPTY = 7
const PAGE_MASK = ~(PAGE_BYTES - 1)

export class SoftTlb {
  readonly words: Int32Array
  readonly #second: Int32Array
  readonly #ways: readonly Int32Array[]

  /** `buffer`: CPU memory. */
  constructor(buffer: ArrayBuffer) {
    this.words = new Int32Array(buffer, SOFT_TLB_BASE, SOFT_TLB_WORDS)
    this.#second = new Int32Array(buffer, SECOND_WAY_BASE, SOFT_TLB_WORDS)
    this.#ways = [this.words, this.#second]
    this.clear()
  }

  clear(): void {
    for (const way of this.#ways) way.fill(EMPTY, 0, 2 * SOFT_TLB_ENTRIES)
  }

  clearWrites(): void {
    for (const way of this.#ways) way.fill(EMPTY, SOFT_TLB_ENTRIES, 2 * SOFT_TLB_ENTRIES)
  }

  /** Drops the translations of `length` bytes from `address`, in every context. */
  forget(address: number, length: number): void {
    const pages = length / PAGE_BYTES
    if (pages >= SOFT_TLB_ENTRIES) {
      this.clear()
      return
    }
    const first = address >>> PAGE_SHIFT
    for (let page = first; page < first + pages; page++) {
      const entry = page % SOFT_TLB_ENTRIES
      for (const way of this.#ways) {
        way[entry] = EMPTY
        way[SOFT_TLB_ENTRIES + entry] = EMPTY
      }
    }
  }

  /** There is code in backing page `page` from now on. */
  markCode(page: number): void {
    for (const way of this.#ways) {
      for (let entry = 0; entry < SOFT_TLB_ENTRIES; entry++) {
        const tag = way[SOFT_TLB_ENTRIES + entry]!
        if (tag === EMPTY) continue
        const byte = ((tag & PAGE_MASK) + way[2 * SOFT_TLB_ENTRIES + entry]!) >>> 0
        if (byte === BACKING_BASE + page * PAGE_BYTES) way[SOFT_TLB_ENTRIES + entry] = tag | HAS_CODE
      }
    }
  }

  fillRead(address: number, context: number, page: number): void {
    this.#fill(0, SOFT_TLB_ENTRIES, address, context, page)
  }

  fillWrite(address: number, context: number, page: number, hasCode: boolean): void {
    this.#fill(SOFT_TLB_ENTRIES, 0, address, context | (hasCode ? HAS_CODE : 0), page)
  }

  /** Both kinds of tag, where neither is empty, are of one page and context, and share the addend. */
  #fill(kind: number, other: number, address: number, flags: number, page: number): void {
    const { words } = this
    const entry = (address >>> PAGE_SHIFT) % SOFT_TLB_ENTRIES
    const addend = (BACKING_BASE + page * PAGE_BYTES - (address & PAGE_MASK)) | 0
    const tag = (address & PAGE_MASK) | flags
    const isOf = (way: Int32Array) =>
      ((way[other + entry]! ^ tag) & ~HAS_CODE) === 0 || ((way[kind + entry]! ^ tag) & ~HAS_CODE) === 0
    if (!isOf(words)) this.#change(entry, isOf(this.#second))
    if (((words[other + entry]! ^ tag) & ~HAS_CODE) !== 0 || words[2 * SOFT_TLB_ENTRIES + entry] !== addend)
      words[other + entry] = EMPTY
    words[kind + entry] = tag
    words[2 * SOFT_TLB_ENTRIES + entry] = addend
  }

  /** The first way's entry goes to the second; `back`: and the second's to the first. */
  #change(entry: number, back: boolean): void {
    const first = this.words
    const second = this.#second
    for (let place = entry; place < SOFT_TLB_WORDS; place += SOFT_TLB_ENTRIES) {
      const word = second[place]!
      second[place] = first[place]!
      if (back) first[place] = word
    }
  }
}
