/**
 * A growing byte buffer and its reader, with LEB128 numbers of up to 53 bits: the alphabet of a segment's columns.
 */

/** Up to here numbers are divided by shifts, which cost a fraction of divisions. */
const I32_MAX = 2 ** 31 - 1

/** Appends numbers and bytes to a buffer that doubles as it fills. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #length = 0

  /** @param firstBytes how many are expected */
  constructor(firstBytes = 256) {
    this.#bytes = new Uint8Array(firstBytes)
  }

  get length(): number {
    return this.#length
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    grown.set(this.#bytes)
    this.#bytes = grown
  }

  /** A whole number below 2^53, seven bits a byte, least significant first. */
  whole(value: number): void {
    this.#reserve(8)
    if (value < 0x80) {
      this.#bytes[this.#length++] = value
      return
    }
    let rest = value
    while (rest > I32_MAX) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    for (; rest >= 0x80; rest >>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
    this.#bytes[this.#length++] = rest
  }

  /** A number between -2^53 and 2^53: the sign is bit 0 of the first byte, which then holds six bits of magnitude. */
  signed(value: number): void {
    // What most entries of a journal have.
    if (value === 0) {
      this.whole(0)
      return
    }
    const magnitude = Math.abs(value)
    const first = ((magnitude % 0x40) << 1) | (value < 0 ? 1 : 0)
    this.#reserve(1)
    if (magnitude < 0x40) {
      this.#bytes[this.#length++] = first
      return
    }
    this.#bytes[this.#length++] = first | 0x80
    this.whole(Math.floor(magnitude / 0x40))
  }

  /** An unsigned 32-bit number, least significant byte first. */
  u32(value: number): void {
    this.#reserve(4)
    for (let shift = 0; shift < 32; shift += 8) this.#bytes[this.#length++] = (value >>> shift) & 0xff
  }

  bytes(source: Uint8Array): void {
    this.#reserve(source.length)
    this.#bytes.set(source, this.#length)
    this.#length += source.length
  }

  /** What was written so far; a view, good until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}

/** Reads what a `ByteWriter` wrote. `fail` makes the error to throw at the end of the bytes or at a number that is none. */
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
