/** No LEB128 number of 53 bits takes more. */
const NUMBER_BYTES: usize = 8

/** A buffer that doubles as it fills, with LEB128 numbers: what `ByteReader` reads. */
export class ByteWriter {
  private start: usize
  private capacity: usize
  length: usize = 0

  constructor(firstBytes: usize) {
    this.start = heap.alloc(firstBytes)
    this.capacity = firstBytes
  }

  /** Where its bytes are; good until the next write. */
  get at(): usize {
    return this.start
  }

  /** Makes room for `more` bytes, and returns where they go. */
  reserve(more: usize): usize {
    const needed = this.length + more
    if (needed > this.capacity) this.grow(needed)
    return this.start + this.length
  }

  /** What was written is up to here. */
  endAt(end: usize): void {
    this.length = end - this.start
  }

  byte(value: u32): void {
    if (this.length === this.capacity) this.grow(this.length + 1)
    store<u8>(this.start + this.length++, value)
  }

  /** Seven bits a byte, least significant first. */
  whole(value: u64): void {
    // As most are.
    if (value < 0x80) {
      this.byte(<u32>value)
      return
    }
    let at = this.reserve(NUMBER_BYTES)
    let rest = value
    while (rest >= 0x80) {
      store<u8>(at++, <u32>rest | 0x80)
      rest >>= 7
    }
    store<u8>(at++, <u32>rest)
    this.endAt(at)
  }

  /** The sign is bit 0 of the first byte, which then holds six bits of magnitude. */
  signed(value: i64): void {
    const magnitude: u64 = value < 0 ? -value : value
    const first: u32 = ((<u32>magnitude & 0x3f) << 1) | u32(value < 0)
    if (magnitude < 0x40) this.byte(first)
    else {
      this.byte(first | 0x80)
      this.whole(magnitude >> 6)
    }
  }

  /** Least significant byte first. */
  u32(value: u32): void {
    store<u32>(this.reserve(4), value)
    this.length += 4
  }

  bytes(from: usize, length: usize): void {
    memory.copy(this.reserve(length), from, length)
    this.length += length
  }

  /** Forgets the first `length` bytes. */
  drop(length: usize): void {
    this.length -= length
    memory.copy(this.start, this.start + length, this.length)
  }

  /** Forgets all, and keeps the room. */
  clear(): void {
    this.length = 0
  }

  private grow(needed: usize): void {
    const capacity = max<usize>(2 * this.capacity, needed)
    const grown = heap.alloc(capacity)
    memory.copy(grown, this.start, this.length)
    this.start = grown
    this.capacity = capacity
  }
}
