/**
 * What a disk holds: an image that stays as it is, and over it the blocks that were written.
 *
 * Both ends of a machine have it: a live bus, and a `cpu` replay, which does to it what the devices did. So what goes from a
 * disk to memory and back is in a log as places and lengths, never as bytes.
 */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { PAGE_BYTES } from './layout.ts'

/** What a disk held at power-on. A deterministic one: the same bytes each time. */
export interface StorageImage {
  readonly bytes: number
  /** `length` bytes from `offset` on, within the image, for the caller to keep. Throws what its host throws. */
  read(offset: number, length: number): Uint8Array
}

/** A block is written, hashed and kept as a whole: the size of a page, so that a checkpoint has one kind of them. */
const BLOCK_BYTES = PAGE_BYTES

/** Odd, and without a pattern: what is near each other differs in all bits. (The golden ratio's and e's first 64 bits.) */
const PLACE_FACTOR = 0x9e37_79b9_7f4a_7c15n
const HASH_FACTOR = 0xadf8_5458_a2bb_4a9bn

interface Block {
  readonly number: number
  /** Never changed: a write makes a new one, so that whoever has it keeps it. */
  bytes: Uint8Array
  /** As it was last added to the hash, or 0. */
  hash: bigint
  /** Whether it was written since it was hashed, and since `takeWritten`. */
  isUnhashed: boolean
  isWritten: boolean
}

export class Storage {
  readonly name: string
  readonly bytes: number
  /** Absent: zeros. What lies behind its end is zero too. */
  image: StorageImage | undefined
  readonly #blocks = new Map<number, Block>()
  #unhashed: Block[] = []
  #written: Block[] = []
  #hash = 0n
  /** Of its name. */
  readonly #seed: bigint

  constructor(name: string, bytes: number) {
    this.#seed = hash('sha256', name, 'buffer').readBigUInt64LE()
    this.name = name
    this.bytes = bytes
  }

  /** For the caller to keep. */
  read(offset: number, length: number): Uint8Array {
    this.#check(offset, length)
    const { image } = this
    if (image !== undefined && offset + length <= image.bytes && !this.#isWritten(offset, length)) {
      return image.read(offset, length)
    }
    const bytes = new Uint8Array(length)
    let fromImage = offset
    const readImage = (to: number) => {
      const end = Math.min(to, image?.bytes ?? 0)
      if (image !== undefined && fromImage < end) {
        bytes.set(image.read(fromImage, end - fromImage), fromImage - offset)
      }
    }
    for (const { number, from, to } of blocksOf(offset, length)) {
      const block = this.#blocks.get(number)
      if (block === undefined) continue
      readImage(from)
      bytes.set(block.bytes.subarray(from - number * BLOCK_BYTES, to - number * BLOCK_BYTES), from - offset)
      fromImage = to
    }
    readImage(offset + length)
    return bytes
  }

  /** Takes `bytes`, which must stay as they are. */
  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.length)
    for (const { number, from, to } of blocksOf(offset, bytes.length)) {
      const part = bytes.subarray(from - offset, to - offset)
      if (part.length === BLOCK_BYTES) this.putBlock(number, part)
      else {
        const block = this.#wholeBlock(number)
        block.set(part, from - number * BLOCK_BYTES)
        this.putBlock(number, block)
      }
    }
  }

  /** Block `number` from now on, with zeros behind the end of a disk that ends amid it. They must stay as they are. */
  putBlock(number: number, bytes: Uint8Array): void {
    assert(bytes.length === BLOCK_BYTES && number < this.blockCount, `${this.name} has no block ${number}`)
    let block = this.#blocks.get(number)
    if (block === undefined) {
      block = { number, bytes, hash: 0n, isUnhashed: false, isWritten: false }
      this.#blocks.set(number, block)
    } else block.bytes = bytes
    if (!block.isUnhashed) this.#unhashed.push(block)
    if (!block.isWritten) this.#written.push(block)
    block.isUnhashed = true
    block.isWritten = true
  }

  get blockCount(): number {
    return Math.ceil(this.bytes / BLOCK_BYTES)
  }

  /** Of all that was ever written, 64 bits; costs what was written since it was last asked. */
  hash(): bigint {
    for (const block of this.#unhashed) {
      const now = this.#hashOf(block)
      this.#hash = BigInt.asUintN(64, this.#hash - block.hash + now)
      block.hash = now
      block.isUnhashed = false
    }
    this.#unhashed = []
    return this.#hash
  }

  /** All blocks that were ever written, in order: each block's place, and its bytes as far as the disk goes. */
  *blocks(): Generator<readonly [offset: number, bytes: Uint8Array]> {
    for (const number of [...this.#blocks.keys()].sort((a, b) => a - b)) {
      const offset = number * BLOCK_BYTES
      yield [offset, this.#blocks.get(number)!.bytes.subarray(0, this.bytes - offset)]
    }
  }

  /** How many blocks were written since `takeWritten`. */
  get writtenBlocks(): number {
    return this.#written.length
  }

  /** Those blocks, in order. */
  takeWritten(): (readonly [number: number, bytes: Uint8Array])[] {
    const written = this.#written.sort((a, b) => a.number - b.number)
    this.#written = []
    for (const block of written) block.isWritten = false
    return written.map(({ number, bytes }) => [number, bytes])
  }

  /** All that was ever written, block by block in order, to a strong hash. */
  digest(update: (bytes: Uint8Array) => void): void {
    for (const number of [...this.#blocks.keys()].sort((a, b) => a - b)) {
      update(Buffer.from(`${this.name} ${number}\n`))
      update(this.#blocks.get(number)!.bytes)
    }
  }

  #isWritten(offset: number, length: number): boolean {
    if (this.#blocks.size === 0) return false
    const last = Math.floor((offset + length - 1) / BLOCK_BYTES)
    for (let number = Math.floor(offset / BLOCK_BYTES); number <= last; number++) {
      if (this.#blocks.has(number)) return true
    }
    return false
  }

  /** 64 bits of what a block holds, and of where it is. */
  #hashOf({ number, bytes }: Block): bigint {
    const contents = hash('sha256', bytes, 'buffer').readBigUInt64LE()
    return BigInt.asUintN(64, (contents + this.#seed + BigInt(number) * PLACE_FACTOR) * HASH_FACTOR)
  }

  #wholeBlock(number: number): Uint8Array {
    const start = number * BLOCK_BYTES
    const bytes = new Uint8Array(BLOCK_BYTES)
    bytes.set(this.read(start, Math.min(BLOCK_BYTES, this.bytes - start)))
    return bytes
  }

  #check(offset: number, length: number): void {
    const isWithin = Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= this.bytes
    assert(isWithin, `${length} bytes at ${offset} are not within ${this.name}, which has ${this.bytes}`)
  }
}

/** The blocks that `length` bytes from `offset` on lie in, and from where to where in each. */
function* blocksOf(offset: number, length: number): Generator<{ number: number; from: number; to: number }> {
  const end = offset + length
  for (let from = offset; from < end; ) {
    const number = Math.floor(from / BLOCK_BYTES)
    const to = Math.min(end, (number + 1) * BLOCK_BYTES)
    yield { number, from, to }
    from = to
  }
}
