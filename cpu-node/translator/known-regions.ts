/**
 * Regions that are known to become hot, found by the code of any of their blocks. So many of their translations are kept;
 * after that the one that was used longest ago makes room, and is made again when it is wanted.
 */
import type { CodeBlock } from '../interpreter/code-cache.ts'
import { type CodeKind, sameKind } from '../isa/code.ts'
import { PAGE_BYTES } from '../memory.ts'
import type { RegionCode, Translation } from './translate.ts'

export interface KnownRegion {
  readonly code: RegionCode
  /** It is being translated, or has been. */
  isSubmitted: boolean
  /** The block that wanted it last. */
  asker: CodeBlock | undefined
  translation: Translation | undefined
}

interface KnownBlock {
  region: KnownRegion
  /** Which block of it. */
  index: number
  /** Its first word in the region's code. */
  first: number
}

export class KnownRegions {
  readonly regions: readonly KnownRegion[]
  readonly #blocks = new Map<number, KnownBlock[]>()
  readonly #most: number
  /** Those with a translation, the one used last at the end. */
  readonly #translated = new Set<KnownRegion>()

  /** `most`: translations that are kept. */
  constructor(codes: readonly RegionCode[], most: number) {
    this.#most = most
    this.regions = codes.map((code) => ({ code, isSubmitted: false, asker: undefined, translation: undefined }))
    for (const region of this.regions) this.#add(region)
  }

  #add(region: KnownRegion): void {
    const { pcs, lengths, words } = region.code
    let first = 0
    for (const [index, pc] of pcs.entries()) {
      const key = keyOf(pc, words[first]!)
      const list = this.#blocks.get(key)
      const block = { region, index, first }
      if (list === undefined) this.#blocks.set(key, [block])
      else list.push(block)
      first += lengths[index]! / 4
    }
  }

  /** Whether there may be a known region with a block at `pc` that begins with `word`. */
  hasAt(pc: number, word: number): boolean {
    return this.#blocks.has(keyOf(pc, word))
  }

  /** The first known region of that kind with the block at `pc`, `length` bytes, of a page whose words are given. */
  find(kind: CodeKind, pc: number, length: number, page: Int32Array): KnownRegion | undefined {
    const from = (pc & (PAGE_BYTES - 1)) >>> 2
    for (const { region, index, first } of this.#blocks.get(keyOf(pc, page[from]!)) ?? []) {
      const { code } = region
      const isIt =
        code.pcs[index] === pc &&
        code.lengths[index] === length &&
        sameKind(code.kind, kind) &&
        sameWords(code.words, first, page, from, length / 4)
      if (isIt) return region
    }
    return undefined
  }

  /** Keeps the translation that `region` was submitted for. */
  translated(region: KnownRegion, translation: Translation): void {
    region.translation = translation
    this.used(region)
    for (const oldest of this.#translated) {
      if (this.#translated.size <= this.#most) break
      this.#translated.delete(oldest)
      oldest.translation = undefined
      oldest.isSubmitted = false
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

const keyOf = (pc: number, word: number): number => Math.imul(pc, 0x9e37_79b1) ^ word
