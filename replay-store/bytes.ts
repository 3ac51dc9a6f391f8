/**
 * Reads LEB128 numbers of up to 53 bits, and bytes: the alphabet of a segment's columns. `assembly/byte-writer.ts` writes it.
 */

/** `fail` makes the error to throw at the end of the bytes or at a number that is none. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #fail: (what: string) => Error
  #position = 0

  constructor(bytes: Uint8Array, fail: (what: string) => Error) {
    this.#bytes = bytes
    this.#fail = fail
  }

  get atEnd(): boolean {
    return this.#position === this.#bytes.length
  }

  #byte(): number {
    const byte = this.#bytes[this.#position++]
    if (byte === undefined) throw this.#fail('it ends too early')
    return byte
  }

  whole(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.#byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 0x80
    }
    throw this.#fail('a number has more than 53 bits')
  }

  signed(): number {
    const first = this.#byte()
    const low = (first & 0x7e) >> 1
    const magnitude = first < 0x80 ? low : this.whole() * 0x40 + low
    return (first & 1) === 1 ? -magnitude : magnitude
  }

  u32(): number {
    let value = 0
    for (let shift = 0; shift < 32; shift += 8) value |= this.#byte() << shift
    return value >>> 0
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    return this.view(length).slice()
  }

  /** The next `length` bytes, not copied. */
  view(length: number): Uint8Array {
    const end = this.#position + length
    if (end > this.#bytes.length) throw this.#fail('it ends too early')
    const view = this.#bytes.subarray(this.#position, end)
    this.#position = end
    return view
  }
}
