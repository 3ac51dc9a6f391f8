import type { Encoding } from './encoding.ts'

/**
 * Finds an instruction word's encoding. The rows are sorted into 4096 buckets by the word's top and bottom six bits,
 * so that few candidates are left to compare.
 */
export class Decoder<Row extends Encoding> {
  readonly #buckets: readonly (readonly Row[])[]

  constructor(rows: readonly Row[]) {
    this.#buckets = Array.from({ length: 4096 }, (_, bucket) => {
      const bits = (((bucket >>> 6) << 26) | (bucket & 0x3f)) >>> 0
      return rows.filter(({ mask, match }) => ((bits ^ match) & mask & 0xfc00_003f) === 0)
    })
  }

  /** The row of `word`, or undefined: a reserved instruction. */
  decode(word: number): Row | undefined {
    for (const candidate of this.#buckets[((word >>> 20) & 0xfc0) | (word & 0x3f)]!) {
      if (((word ^ candidate.match) & candidate.mask) === 0) return candidate
    }
    return undefined
  }
}
