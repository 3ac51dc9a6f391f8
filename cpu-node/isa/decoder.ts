import type { Encoding } from './encoding.ts'

/** The bottom six bits, by which many opcodes are told apart. */
const FUNCTION = 0x3f

/** The rows of one opcode. */
interface Opcode<Row> {
  /** `FUNCTION`, or 0 where no row fixes any of its bits. */
  mask: number
  /** By the word's bits under `mask`. */
  buckets: readonly (readonly Row[])[]
}

/** Finds an instruction word's encoding: by its top six bits, by the bottom six, then row by row. */
export class Decoder<Row extends Encoding> {
  readonly #opcodes: readonly Opcode<Row>[]

  constructor(rows: readonly Row[]) {
    this.#opcodes = Array.from({ length: 64 }, (_, opcode) => {
      const candidates = rows.filter(({ mask, match }) => (((opcode << 26) ^ match) & mask & (0x3f << 26)) === 0)
      const mask = candidates.some((row) => (row.mask & FUNCTION) !== 0) ? FUNCTION : 0
      const buckets = Array.from({ length: mask + 1 }, (_, bits) =>
        candidates.filter((row) => ((bits ^ row.match) & row.mask & mask) === 0),
      )
      return { mask, buckets }
    })
  }

  /** The row of `word`, or undefined: a reserved instruction. */
  decode(word: number): Row | undefined {
    const { mask, buckets } = this.#opcodes[word >>> 26]!
    for (const candidate of buckets[word & mask]!) {
      if (((word ^ candidate.match) & candidate.mask) === 0) return candidate
    }
    return undefined
  }
}
