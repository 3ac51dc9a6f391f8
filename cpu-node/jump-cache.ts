/**
 * The jump cache: from virtual code address to compiled block, for code that goes from block to block without a call.
 *
 * Direct-mapped; the entries of one virtual page stand together, so that a page is forgotten at once. An entry is four
 * words: pc, context, place in the code arena of the block's `entry`, unused. A context is `Isa.context` with `Isa.codeTag`;
 * for an address that is the same in every address space (`Isa.fixed`) it has only the bits that tell modes apart.
 */
import { type FixedAddresses, isFixed } from './isa/isa.ts'
import { JUMP_CACHE_BASE, PAGE_BYTES, PAGE_SHIFT } from './memory.ts'

const PAGE_GROUPS = 256
const GROUP_ENTRIES = 64
const ENTRIES = PAGE_GROUPS * GROUP_ENTRIES
const ENTRY_WORDS = 4
const PAGES = 2 ** (32 - PAGE_SHIFT)
/** A context that none is equal to. */
const NOTHING = -1

/** Where in the jump cache `pc` belongs, as generated code computes it: see `entryOf`. */
export const JUMP_CACHE = {
  base: JUMP_CACHE_BASE,
  entryShift: 4,
  groupShift: 6,
  groupMask: PAGE_GROUPS - 1,
  entryMask: GROUP_ENTRIES - 1,
  /** The low bits of an address within its page are mixed from these two shifts of it. */
  shifts: [2, 8],
} as const

/** Bits of a code context, beside those of `Isa.context`: `Isa.codeTag`. */
export const CODE_TAG = 3

/** What of a code context decides about the code at `pc`. */
export function jumpContext(fixed: FixedAddresses, pc: number, context: number): number {
  return isFixed(fixed, pc) ? context & (fixed.contextMask | CODE_TAG) : context
}

export class JumpCache {
  readonly #words: Int32Array

  constructor(buffer: ArrayBuffer) {
    this.#words = new Int32Array(buffer, JUMP_CACHE_BASE, ENTRIES * ENTRY_WORDS)
    this.clear()
  }

  clear(): void {
    this.#words.fill(NOTHING)
  }

  /** Place of the block's entry, or 0. `context` as `jumpContext` gives it. */
  find(pc: number, context: number): number {
    const at = this.#entryOf(pc)
    const words = this.#words
    return words[at] === pc && words[at + 1] === context ? words[at + 2]! : 0
  }

  set(pc: number, context: number, entry: number): void {
    const at = this.#entryOf(pc)
    this.#words[at] = pc
    this.#words[at + 1] = context
    this.#words[at + 2] = entry
  }

  /** The block whose `entry` is at `entry`, entered at virtual `pc`, is no longer to be found here. */
  forgetBlock(pc: number, entry: number): void {
    const at = this.#entryOf(pc)
    if (this.#words[at + 2] === entry) this.#words[at + 1] = NOTHING
  }

  /** These relative blocks, by place of their `entry`, are no longer to be found here, at whatever address. */
  forgetRelativeBlocks(entries: ReadonlySet<number>): void {
    const words = this.#words
    for (let at = 0; at < words.length; at += ENTRY_WORDS) if (entries.has(words[at + 2]!)) words[at + 1] = NOTHING
  }

  /** Drops the code of `length` bytes from `address`, in every context. */
  forget(address: number, length: number): void {
    const pages = length / PAGE_BYTES
    if (pages >= PAGE_GROUPS) {
      this.clear()
      return
    }
    const first = address >>> PAGE_SHIFT
    const groupWords = GROUP_ENTRIES * ENTRY_WORDS
    const words = this.#words
    for (let page = first; page < first + pages; page++) {
      const start = (page % PAGE_GROUPS) * groupWords
      for (let at = start; at < start + groupWords; at += ENTRY_WORDS) {
        if (words[at]! >>> PAGE_SHIFT === page % PAGES) words[at + 1] = NOTHING
      }
    }
  }

  #entryOf(pc: number): number {
    const group = (pc >>> PAGE_SHIFT) & (PAGE_GROUPS - 1)
    const entry = ((pc >>> JUMP_CACHE.shifts[0]) ^ (pc >>> JUMP_CACHE.shifts[1])) & (GROUP_ENTRIES - 1)
    return ((group << JUMP_CACHE.groupShift) | entry) * ENTRY_WORDS
  }
}
