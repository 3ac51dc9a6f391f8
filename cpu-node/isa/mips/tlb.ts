/**
 * The joint TLB: 64 entries of two pages each, with page masks. "MIPS32 Architecture For Programmers, Volume III",
 * chapter 4.
 *
 * Four words an entry in CPU memory: EntryHi (VPN2, ASID), PageMask, EntryLo0, EntryLo1; G stands in both EntryLos.
 */
export const TLB_ENTRIES = 64
export const TLB_BYTES = TLB_ENTRIES * 16

/** EntryLo bits. */
export const EntryLo = { G: 1, V: 2, D: 4, PFN: 0x03ff_ffc0 } as const
/** EntryHi fields. */
export const ASID = 0xff
export const VPN2 = 0xffff_e000 | 0

/** What a look-up found. */
export const MISS = -1
export const INVALID = -2
export const UNMODIFIABLE = -3

/** Look-ups that are kept, by virtual page pair. */
const KEPT = 256
/** Equals no VPN2 with an ASID. */
const NONE = 0x100
const VPN2_SHIFT = 13

export class Tlb {
  readonly #words: Int32Array
  /** What `find` found lately: VPN2 and ASID it was asked for, and its answer. */
  readonly #kept = new Int32Array(KEPT).fill(NONE)
  readonly #found = new Int8Array(KEPT)

  /** `words`: 4 a TLB entry. */
  constructor(words: Int32Array) {
    this.#words = words
  }

  /** The index of the entry that matches, or -1. */
  find(address: number, asid: number): number {
    const place = (address >>> VPN2_SHIFT) % KEPT
    const wanted = (address & VPN2) | asid
    if (this.#kept[place] !== wanted) {
      this.#kept[place] = wanted
      this.#found[place] = this.#search(address, asid)
    }
    return this.#found[place]!
  }

  /** The words were changed by another way than `write`. */
  forgetFound(): void {
    this.#kept.fill(NONE)
  }

  #forgetRange(index: number): void {
    const { address, length } = this.range(index)
    const pairs = length >>> VPN2_SHIFT
    if (pairs >= KEPT) {
      this.forgetFound()
      return
    }
    const first = address >>> VPN2_SHIFT
    for (let pair = first; pair < first + pairs; pair++) this.#kept[pair % KEPT] = NONE
  }

  #search(address: number, asid: number): number {
    const words = this.#words
    for (let index = 0; index < TLB_ENTRIES; index++) {
      const at = 4 * index
      const high = words[at]!
      if (((high ^ address) & VPN2 & ~words[at + 1]!) !== 0) continue
      if ((high & ASID) === asid || (words[at + 2]! & EntryLo.G) !== 0) return index
    }
    return -1
  }

  /** The physical address of `address` (unsigned), or `MISS`, `INVALID`, `UNMODIFIABLE`. */
  translate(address: number, asid: number, write: boolean): number {
    const index = this.find(address, asid)
    if (index < 0) return MISS
    const mask = this.#words[4 * index + 1]!
    // The pair's size is the mask's ones and the 13 bits below; its upper half is the odd page.
    const pageBytes = ((mask | 0x1fff) + 1) >>> 1
    const low = this.#words[4 * index + ((address & pageBytes) !== 0 ? 3 : 2)]!
    if ((low & EntryLo.V) === 0) return INVALID
    if (write && (low & EntryLo.D) === 0) return UNMODIFIABLE
    const offset = address & (pageBytes - 1)
    return ((((low & EntryLo.PFN) << 6) & ~(pageBytes - 1)) | offset) >>> 0
  }

  /** The addresses that entry `index` maps. */
  range(index: number): { address: number; length: number } {
    const mask = this.#words[4 * index + 1]! | 0x1fff
    return { address: (this.#words[4 * index]! & VPN2 & ~mask) >>> 0, length: mask + 1 }
  }

  read(index: number): { entryHi: number; pageMask: number; entryLo0: number; entryLo1: number } {
    const at = 4 * index
    const [entryHi, pageMask, entryLo0, entryLo1] = this.#words.subarray(at, at + 4) as unknown as [
      number,
      number,
      number,
      number,
    ]
    return { entryHi, pageMask, entryLo0, entryLo1 }
  }

  /** G of the entry is the AND of both halves' G. */
  write(index: number, entryHi: number, pageMask: number, entryLo0: number, entryLo1: number): void {
    const global = entryLo0 & entryLo1 & EntryLo.G
    this.#forgetRange(index)
    const at = 4 * index
    this.#words[at] = entryHi & (VPN2 | ASID) & ~pageMask
    this.#words[at + 1] = pageMask
    this.#words[at + 2] = (entryLo0 & ~EntryLo.G) | global
    this.#words[at + 3] = (entryLo1 & ~EntryLo.G) | global
    this.#forgetRange(index)
  }
}

/** PageMask after a write of `value`: only an even number of ones from bit 13 up is a page size, others give 4 KiB. */
export function pageMaskWritten(value: number): number {
  const mask = (value >>> 13) & 0xffff
  const ones = 32 - Math.clz32(mask)
  return mask === 2 ** ones - 1 && ones % 2 === 0 ? mask << 13 : 0
}
