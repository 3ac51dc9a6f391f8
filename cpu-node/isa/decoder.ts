import type { Encoding } from './encoding.ts'

/**
 * Finds an instruction word's encoding. The rows are sorted into 4096 buckets by the word's top and bottom six bits,
 * so that few candidates are left to compare.
 */
export class Decoder<M extends string> {
  readonly #buckets: readonly (readonly Encoding<M>[])[]

  constructor(encodings: readonly Encoding<M>[]) {
    this.#buckets = Array.from({ length: 4096 }, (_, bucket) => {
      const bits = (((bucket >>> 6) << 26) | (bucket & 0x3f)) >>> 0
      return encodings.filter(({ mask, match }) => ((bits ^ match) & mask & 0xfc00_003f) === 0)
    })
  }

  /** The encoding of `word` (unsigned), or undefined: a reserved instruction. */
  decode(word: number): Encoding<M> | undefined {
    const bucket = this.#buckets[((word >>> 20) & 0xfc0) | (word & 0x3f)]!
    for (const candidate of bucket) {
      if ((word & candidate.mask) >>> 0 === candidate.match) return candidate
    }
    return undefined
  }
}
