/**
 * Instruction encodings as data. One row is one encoding; the decoder, the disassembler and the test generator are all
 * made from the same rows.
 */

/** A field of an instruction word: `bits` from bit `low` upwards. */
export interface Field {
  low: number
  bits: number
  /** The largest value it holds. */
  mask: number
}

export interface Encoding<M extends string = string> {
  mnemonic: M
  /** Bits that must be as `match` has them. */
  mask: number
  match: number
  fields: Readonly<Record<string, Field>>
  /** Operands in assembler order, see the disassembler. */
  operands: string
  /** Where the manual describes it. */
  section: string
}

/** One row: mnemonic, bit pattern, operands. */
export type Row<M extends string = string> = readonly [mnemonic: M, pattern: string, operands: string]

/**
 * Reads a row. In a 32-bit pattern, `0` and `1` are fixed bits, a run of one letter is the field of that name, `-` is a
 * bit that the processor ignores. Blanks are for the eye.
 */
export function encoding<M extends string>([mnemonic, pattern, operands]: Row<M>, section: string): Encoding<M> {
  const bits = pattern.replaceAll(' ', '')
  if (bits.length !== 32) throw new Error(`${mnemonic}: a pattern has 32 bits, this one ${bits.length}`)
  let mask = 0
  let match = 0
  const fields: Record<string, Field> = {}
  for (const [index, letter] of [...bits].entries()) {
    const position = 31 - index
    if (letter === '0' || letter === '1') {
      mask |= 1 << position
      if (letter === '1') match |= 1 << position
    } else if (letter !== '-') {
      const bits = (fields[letter]?.bits ?? 0) + 1
      fields[letter] = { low: position, bits, mask: 2 ** bits - 1 }
    }
  }
  return { mnemonic, mask: mask >>> 0, match: match >>> 0, fields, operands, section }
}

/** The value that `word` has in `field`. */
export function bitsOf(field: Field, word: number): number {
  return (word >>> field.low) & field.mask
}

/** The value of field `letter` in `word`. */
export function fieldOf(of: Encoding, letter: string, word: number): number {
  const field = of.fields[letter]
  if (field === undefined) throw new Error(`${of.mnemonic} has no field ${letter}`)
  return bitsOf(field, word)
}

/** An instruction word from field values; the inverse of decoding. */
export function encode(of: Encoding, values: Readonly<Record<string, number>>): number {
  let word = of.match
  for (const [letter, { low, mask }] of Object.entries(of.fields)) {
    word |= ((values[letter] ?? 0) & mask) << low
  }
  return word >>> 0
}
