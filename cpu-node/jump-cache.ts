/**
 * The jump cache: from virtual code address to compiled block, for code that goes from block to block without a call.
 *
 * An entry is four words: pc, context, place in the code arena of the block's `entry`, and which block of which translated region
 * that leads to, if the dispatcher has looked there (0: it has not). A context is `Isa.context` with `Isa.codeTag`; for an address
 * that is the same in every address space (`Isa.fixed`) it has only the bits that tell modes apart.
 *
 * An address belongs in one entry, or in its neighbour (`at ^ ENTRY_WORDS`): two that want the same place, in one loop
 * perhaps, are both found. The entries of one virtual page are a part of the cache of their own, in which a page can be
 * forgotten.
 */
import { type FixedAddresses, isFixed } from './isa/isa.ts'
import { JUMP_CACHE_BASE, PAGE_BYTES, PAGE_SHIFT } from './memory.ts'

const ENTRY_BITS = 14
const ENTRIES = 2 ** ENTRY_BITS
const ENTRY_WORDS = 4
const PAGES = 2 ** (32 - PAGE_SHIFT)
/** So many forgotten at once are all. */
const MANY_PAGES = 4096
/** A context that none is equal to. */
const NOTHING = -1

/** Where in the jump cache `pc` belongs, as generated code computes it: see `entryOf`. */
export const JUMP_CACHE = {
  base: JUMP_CACHE_BASE,
  entryShift: 4,
  entryMask: ENTRIES - 1,
  /** An address is mixed from these two shifts of it: where it is in its page, and the page. */
  shifts: [2, PAGE_SHIFT],
  /** Words of an entry. */
  entryWord: 2,
  regionWord: 3,
} as const
/** Entries of a page. */
const PAGE_ENTRIES = PAGE_BYTES >> JUMP_CACHE.shifts[0]

/** Bits of a code context, beside those of `Isa.context`: `Isa.codeTag`. */
export const CODE_TAG = 3

/** What of a code context decides about the code at `pc`. */
export function jumpContext(fixed: FixedAddresses, pc: number, context: number): number {
  return isFixed(fixed, pc) ? context & (fixed.contextMask | CODE_TAG) : context
}

export class JumpCache {
  readonly #words: Int32Array
  /** Of each entry the place in the code arena, as it was set last, end to end to be searched. */
  readonly #leadsTo = new Int32Array(ENTRIES)
  /** By virtual page: whether there may be any of its code. */
  readonly #hasCode = new Uint8Array(PAGES)

  constructor(buffer: ArrayBuffer) {
    this.#words = new Int32Array(buffer, JUMP_CACHE_BASE, ENTRIES * ENTRY_WORDS)
    this.clear()
  }

  clear(): void {
    this.#words.fill(NOTHING)
    this.#hasCode.fill(0)
  }

  /** Place of the block's entry, or 0. `context` as `jumpContext` gives it. */
  find(pc: number, context: number): number {
    const words = this.#words
    const first = this.#entryOf(pc)
    if (words[first] === pc && words[first + 1] === context) return words[first + 2]!
    const other = first ^ ENTRY_WORDS
    return words[other] === pc && words[other + 1] === context ? words[other + 2]! : 0
  }

  /** Of what is not to be found. */
  set(pc: number, context: number, entry: number): void {
    const words = this.#words
    const first = this.#entryOf(pc)
    const other = first ^ ENTRY_WORDS
    let at = first
    if (words[first + 1] !== NOTHING) {
      // What was there goes to the other place, unless that has what belongs there.
      if (words[other + 1] === NOTHING) at = other
      else if (this.#entryOf(words[other]!) !== other) {
        words.copyWithin(other, first, first + ENTRY_WORDS)
        this.#leadsTo[other / ENTRY_WORDS] = words[first + 2]!
      }
    }
    words[at] = pc
    words[at + 1] = context
    words[at + 2] = entry
    words[at + 3] = 0
    this.#leadsTo[at / ENTRY_WORDS] = entry
    this.#hasCode[pc >>> PAGE_SHIFT] = 1
  }

  /** Entries lead to other regions now, or to none. */
  forgetRegions(): void {
    const words = this.#words
    for (let at = JUMP_CACHE.regionWord; at < words.length; at += ENTRY_WORDS) words[at] = 0
  }

  /** The block whose `entry` is at `entry`, entered at virtual `pc`, is no longer to be found here. */
  forgetBlock(pc: number, entry: number): void {
    const words = this.#words
    const first = this.#entryOf(pc)
    const other = first ^ ENTRY_WORDS
    if (words[first + 2] === entry) words[first + 1] = NOTHING
    if (words[other + 2] === entry) words[other + 1] = NOTHING
  }

  /** These relative blocks, by place of their `entry`, are no longer to be found here, at whatever address. */
  forgetRelativeBlocks(entries: ReadonlySet<number>): void {
    const words = this.#words
    // They are few, and the host finds them faster than a loop over all that stands here does.
    for (const entry of entries) {
      for (let place = this.#leadsTo.indexOf(entry); place >= 0; place = this.#leadsTo.indexOf(entry, place + 1)) {
        if (words[place * ENTRY_WORDS + 2] === entry) words[place * ENTRY_WORDS + 1] = NOTHING
      }
    }
  }

  /** Drops the code of `length` bytes from `address`, in every context. */
  forget(address: number, length: number): void {
    const pages = length / PAGE_BYTES
    if (pages >= MANY_PAGES) {
      this.clear()
      return
    }
    const first = address >>> PAGE_SHIFT
    for (let page = first; page < first + pages; page++) this.#forgetPage(page % PAGES)
  }

  #forgetPage(page: number): void {
    if (this.#hasCode[page] === 0) return
    this.#hasCode[page] = 0
    const words = this.#words
    const start = this.#entryOf(page << PAGE_SHIFT) & -(PAGE_ENTRIES * ENTRY_WORDS)
    for (let at = start; at < start + PAGE_ENTRIES * ENTRY_WORDS; at += ENTRY_WORDS) {
      if (words[at]! >>> PAGE_SHIFT === page) words[at + 1] = NOTHING
    }
  }

  #entryOf(pc: number): number {
    return (((pc >>> JUMP_CACHE.shifts[0]) ^ (pc >>> JUMP_CACHE.shifts[1])) & JUMP_CACHE.entryMask) * ENTRY_WORDS
  }
}
