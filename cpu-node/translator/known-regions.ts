/**
 * Regions that are known to become hot, found by the code of any of their blocks. So many of their translations are kept;
 * after that the one that was used longest ago makes room, and is made again when it is wanted.
 */
import type { CodeBlock } from '../interpreter/code-cache.ts'
import { type CodeKind, sameKind } from '../isa/code.ts'
import { PAGE_BYTES } from '../memory.ts'
import type { FoundCode } from './hot-code.ts'
import type { Translation } from './translate.ts'

const OFFSET_MASK = PAGE_BYTES - 1
const NONE = -1
const SLOTS_PER_BLOCK = 2

export interface KnownRegion {
  readonly code: FoundCode
  /** It is being translated, or has been. */
  isSubmitted: boolean
  /** It was looked for among what is stored. */
  isSought: boolean
  /** The block that wanted it last, and the address that it counted from then. */
  asker: { block: CodeBlock; base: number } | undefined
  translation: Omit<Translation, 'id'> | undefined
}

export class KnownRegions {
  readonly regions: readonly KnownRegion[]
  /** Blocks by their key, chained: the number of the first of each slot, and of the next after each; -1: there is none. */
  readonly #heads: Int32Array
  readonly #next: Int32Array
  /** Of each block its key, the number of its region, which of that region's blocks it is, and its first word in its code. */
  readonly #keys: Int32Array
  readonly #regionOf: Int32Array
  readonly #indexOf: Int32Array
  readonly #firstOf: Int32Array
  readonly #most: number
  /** Those with a translation, the one used last at the end. */
  readonly #translated = new Set<KnownRegion>()

  /** `most`: translations that are kept. */
  constructor(codes: readonly FoundCode[], most: number) {
    this.#most = most
    this.regions = codes.map((code) => ({
      code,
      isSubmitted: false,
      isSought: false,
      asker: undefined,
      translation: undefined,
    }))
    const blocks = codes.reduce((sum, { pcs }) => sum + pcs.length, 0)
    this.#heads = new Int32Array(2 ** Math.ceil(Math.log2(SLOTS_PER_BLOCK * blocks + 1))).fill(NONE)
    this.#next = new Int32Array(blocks)
    this.#keys = new Int32Array(blocks)
    this.#regionOf = new Int32Array(blocks)
    this.#indexOf = new Int32Array(blocks)
    this.#firstOf = new Int32Array(blocks)
    // From the last on, since each goes before those of its slot that are there.
    let block = blocks
    for (let region = codes.length - 1; region >= 0; region--) {
      const { kind, pcs, lengths, words } = codes[region]!
      let first = words.length
      for (let index = pcs.length - 1; index >= 0; index--) {
        first -= lengths[index]! / 4
        block--
        const key = keyOf(blockPc(kind, pcs[index]!), words[first]!)
        const slot = this.#slotOf(key)
        this.#keys[block] = key
        this.#regionOf[block] = region
        this.#indexOf[block] = index
        this.#firstOf[block] = first
        this.#next[block] = this.#heads[slot]!
        this.#heads[slot] = block
      }
    }
  }

  #slotOf(key: number): number {
    return (key ^ (key >>> 15)) & (this.#heads.length - 1)
  }

  /** Whether there may be a known region with a block at `pc`, as `CodeBlock.pc`, that begins with `word`. */
  hasAt(pc: number, word: number): boolean {
    const key = keyOf(pc, word)
    let block = this.#heads[this.#slotOf(key)]!
    while (block !== NONE && this.#keys[block] !== key) block = this.#next[block]!
    return block !== NONE
  }

  /**
   * The first known region of that kind with the block at `pc`, `length` bytes, of a page whose words are given; and where the
   * block begins as the region counts.
   */
  find(kind: CodeKind, pc: number, length: number, page: Int32Array): { region: KnownRegion; pc: number } | undefined {
    const from = (pc & OFFSET_MASK) >>> 2
    const key = keyOf(pc, page[from]!)
    for (let block = this.#heads[this.#slotOf(key)]!; block !== NONE; block = this.#next[block]!) {
      if (this.#keys[block] !== key) continue
      const region = this.regions[this.#regionOf[block]!]!
      const { code } = region
      const index = this.#indexOf[block]!
      const place = code.pcs[index]!
      const isIt =
        blockPc(code.kind, place) === pc &&
        code.lengths[index] === length &&
        sameKind(code.kind, kind) &&
        sameWords(code.words, this.#firstOf[block]!, page, from, length / 4)
      if (isIt) return { region, pc: place }
    }
    return undefined
  }

  /** Keeps the translation of `region`. */
  translated(region: KnownRegion, translation: Omit<Translation, 'id'>): void {
    region.translation = translation
    this.used(region)
    for (const oldest of this.#translated) {
      if (this.#translated.size <= this.#most) break
      this.#translated.delete(oldest)
      oldest.translation = undefined
      oldest.isSubmitted = false
      oldest.isSought = false
    }
  }

  /** The translation of `region` was used. */
  used(region: KnownRegion): void {
    this.#translated.delete(region)
    this.#translated.add(region)
  }
}

/** Whether `count` words from `a[i]` and from `b[j]` on are the same. */
export function sameWords(a: Int32Array, i: number, b: Int32Array, j: number, count: number): boolean {
  for (let index = 0; index < count; index++) if (a[i + index] !== b[j + index]) return false
  return true
}

/** `CodeBlock.pc` of the block that begins at `pc`, as its region counts. */
const blockPc = ({ relative }: CodeKind, pc: number): number => (relative ? pc & OFFSET_MASK : pc)

const keyOf = (pc: number, word: number): number => Math.imul(pc, 0x9e37_79b1) ^ word
