/**
 * What a disk holds: an image that stays as it is, and over it the blocks that were written.
 *
 * Both ends of a machine have it: a live bus, and a `cpu` replay, which does to it what the devices did. So what goes from a
 * disk to memory and back is in a log as places and lengths, never as bytes.
 *
 * Of each written block there are, besides its bytes (block-store.ts), `ENTRY_BYTES` in a table of `TABLE_BLOCKS` neighbours:
 *
 *     where it is i32 | flags u32 | its hash, as it was last added to the sum, u64
 */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { BLOCK_BYTES, BlockStore, NO_SLOT, type Overlay } from './block-store.ts'

/** What a disk held at power-on. A deterministic one: the same bytes each time. */
export interface StorageImage {
  readonly bytes: number
  /** Fills `into` with the bytes from `offset` on, which are all within the image. Throws what its host throws. */
  read(offset: number, into: Uint8Array): void
}

/** A 64-bit hash of a block's bytes and a number, which differs in all bits from that of the next number. */
export type HashBlock = (bytes: Uint8Array, number: number) => bigint

/** Blocks as they were when it was taken, in order, whatever has been written since. */
export interface BlockSnapshot {
  /** The numbers of the next of them, at most `most`, and their bytes end to end. */
  next(most: number): { numbers: number[]; bytes: Uint8Array }
  /** Nobody wants any more of them. */
  close(): void
}

const TABLE_BLOCKS = 256
const ENTRY_BYTES = 16
const ENTRY_WORDS = ENTRY_BYTES / Int32Array.BYTES_PER_ELEMENT
const FLAGS_WORD = 1
const HASH_LONG = 1
const ENTRY_LONGS = 2
/** Flags: written since it was hashed; since the last snapshot; of a snapshot, and not taken out of it yet. */
const UNHASHED = 1
const WRITTEN = 2
const IN_SNAPSHOT = 4

interface Table {
  words: Int32Array
  longs: BigUint64Array
}

export class Storage {
  readonly name: string
  readonly bytes: number
  /** Absent: zeros. What lies behind its end is zero too. */
  image: StorageImage | undefined
  readonly #hashBlock: HashBlock
  readonly #store: BlockStore
  /** By the number of their first block over `TABLE_BLOCKS`. */
  readonly #tables = new Map<number, Table>()
  /** No block twice. */
  #unhashed: number[] = []
  #written: number[] = []
  #sum = 0n
  /** Of its name, and odd. */
  readonly #factor: bigint
  readonly #scratch = new Uint8Array(BLOCK_BYTES)
  /** Of the snapshot under way, by number: blocks that were written before they were taken out of it. No more than it has blocks. */
  #kept: Map<number, Uint8Array> | undefined

  /** @param overlay what its host gives, and bytes of memory that this disk may have of that. Absent: all is in memory. */
  constructor(name: string, bytes: number, hashBlock: HashBlock, overlay?: Overlay) {
    this.#factor = hash('sha256', name, 'buffer').readBigUInt64LE() | 1n
    this.name = name
    this.bytes = bytes
    this.#hashBlock = hashBlock
    const openFile = overlay && (() => overlay.openFile(name))
    this.#store = new BlockStore(overlay?.memoryBytes, openFile, (block, slot) => {
      const { words } = this.#tables.get(Math.floor(block / TABLE_BLOCKS))!
      words[ENTRY_WORDS * (block % TABLE_BLOCKS)] = slot
    })
  }

  /** Fills `into` with the bytes from `offset` on. */
  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length)
    const end = offset + into.length
    /** From where on nothing was written that is not in `into` yet. */
    let clean = offset
    for (let at = offset; at < end; ) {
      const number = Math.floor(at / BLOCK_BYTES)
      const to = Math.min(end, (number + 1) * BLOCK_BYTES)
      const slot = this.#slotOf(number)
      if (slot !== NO_SLOT) {
        this.#readImage(clean, into.subarray(clean - offset, at - offset))
        this.#store.read(slot, at - number * BLOCK_BYTES, into.subarray(at - offset, to - offset))
        clean = to
      }
      at = to
    }
    this.#readImage(clean, into.subarray(clean - offset))
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.length)
    const end = offset + bytes.length
    for (let at = offset; at < end; ) {
      const number = Math.floor(at / BLOCK_BYTES)
      const to = Math.min(end, (number + 1) * BLOCK_BYTES)
      const part = bytes.subarray(at - offset, to - offset)
      this.putBlock(number, part.length === BLOCK_BYTES ? part : this.#patched(number, at, part))
      at = to
    }
  }

  /** What block `number` holds from now on, with zeros behind the end of a disk that ends amid it. */
  putBlock(number: number, bytes: Uint8Array): void {
    assert(bytes.length === BLOCK_BYTES && number < this.blockCount, `${this.name} has no block ${number}`)
    const { words } = this.#tableFor(number)
    const at = ENTRY_WORDS * (number % TABLE_BLOCKS)
    const flags = words[at + FLAGS_WORD]!
    if ((flags & IN_SNAPSHOT) !== 0) this.#kept?.set(number, this.#store.view(words[at]!, this.#scratch).slice())
    if ((flags & UNHASHED) === 0) this.#unhashed.push(number)
    if ((flags & WRITTEN) === 0) this.#written.push(number)
    words[at + FLAGS_WORD] = UNHASHED | WRITTEN
    words[at] = this.#store.put(number, words[at]!, bytes)
  }

  get blockCount(): number {
    return Math.ceil(this.bytes / BLOCK_BYTES)
  }

  /** How many blocks the host's file has of it. */
  get spilledBlocks(): number {
    return this.#store.fileBlocks
  }

  /** Of all that was ever written, 64 bits; costs what was written since it was last asked. */
  hash(): bigint {
    for (const number of this.#unhashed) {
      const { words, longs } = this.#tableFor(number)
      const place = number % TABLE_BLOCKS
      const now = this.#hashBlock(this.#store.view(words[ENTRY_WORDS * place]!, this.#scratch), number)
      this.#sum = BigInt.asUintN(64, this.#sum - longs[ENTRY_LONGS * place + HASH_LONG]! + now)
      longs[ENTRY_LONGS * place + HASH_LONG] = now
      words[ENTRY_WORDS * place + FLAGS_WORD]! &= ~UNHASHED
    }
    this.#unhashed = []
    return BigInt.asUintN(64, this.#sum * this.#factor)
  }

  /** All blocks that were ever written, in order: each block's place, and its bytes as far as the disk goes, good until the next. */
  *blocks(): Generator<readonly [offset: number, bytes: Uint8Array]> {
    for (const [number, bytes] of this.#wholeBlocks()) {
      const offset = number * BLOCK_BYTES
      yield [offset, bytes.subarray(0, this.bytes - offset)]
    }
  }

  /** How many blocks were written since the last snapshot. */
  get writtenBlocks(): number {
    return this.#written.length
  }

  /** Those blocks. One snapshot at a time. */
  snapshot(): BlockSnapshot {
    assert(this.#kept === undefined, 'there is a snapshot already')
    const numbers = this.#written.sort((a, b) => a - b)
    this.#written = []
    for (const number of numbers) this.#changeFlags(number, WRITTEN, IN_SNAPSHOT)
    const kept = new Map<number, Uint8Array>()
    this.#kept = kept
    let taken = 0
    return {
      next: (most) => {
        const some = numbers.slice(taken, taken + most)
        taken += some.length
        const bytes = new Uint8Array(BLOCK_BYTES * some.length)
        for (const [i, number] of some.entries()) {
          const into = bytes.subarray(BLOCK_BYTES * i, BLOCK_BYTES * (i + 1))
          const before = kept.get(number)
          if (before === undefined) this.#store.read(this.#slotOf(number), 0, into)
          else into.set(before)
          kept.delete(number)
          this.#changeFlags(number, IN_SNAPSHOT, 0)
        }
        return { numbers: some, bytes }
      },
      close: () => {
        for (const number of numbers.splice(taken)) this.#changeFlags(number, IN_SNAPSHOT, 0)
        if (this.#kept === kept) this.#kept = undefined
      },
    }
  }

  /** All that was ever written, block by block in order, to a strong hash. */
  digest(update: (bytes: Uint8Array) => void): void {
    for (const [number, bytes] of this.#wholeBlocks()) {
      update(Buffer.from(`${this.name} ${number}\n`))
      update(bytes)
    }
  }

  *#wholeBlocks(): Generator<readonly [number: number, bytes: Uint8Array]> {
    const scratch = new Uint8Array(BLOCK_BYTES)
    for (const table of [...this.#tables.keys()].sort((a, b) => a - b)) {
      const { words } = this.#tables.get(table)!
      for (let place = 0; place < TABLE_BLOCKS; place++) {
        const slot = words[ENTRY_WORDS * place]!
        if (slot !== NO_SLOT) yield [table * TABLE_BLOCKS + place, this.#store.view(slot, scratch)]
      }
    }
  }

  #slotOf(number: number): number {
    const table = this.#tables.get(Math.floor(number / TABLE_BLOCKS))
    return table === undefined ? NO_SLOT : table.words[ENTRY_WORDS * (number % TABLE_BLOCKS)]!
  }

  #changeFlags(number: number, off: number, on: number): void {
    const { words } = this.#tableFor(number)
    const at = ENTRY_WORDS * (number % TABLE_BLOCKS) + FLAGS_WORD
    words[at] = (words[at]! & ~off) | on
  }

  #tableFor(number: number): Table {
    const key = Math.floor(number / TABLE_BLOCKS)
    let table = this.#tables.get(key)
    if (table === undefined) {
      const entries = new ArrayBuffer(TABLE_BLOCKS * ENTRY_BYTES)
      table = { words: new Int32Array(entries), longs: new BigUint64Array(entries) }
      this.#tables.set(key, table)
    }
    return table
  }

  /** What is not written: the image, and zeros behind it. */
  #readImage(offset: number, into: Uint8Array): void {
    const { image } = this
    const length = Math.min(into.length, Math.max(0, (image?.bytes ?? 0) - offset))
    if (length > 0) image?.read(offset, into.subarray(0, length))
    into.fill(0, length)
  }

  /** A whole block with `part` at byte `at` of the disk; good until the next. */
  #patched(number: number, at: number, part: Uint8Array): Uint8Array {
    const start = number * BLOCK_BYTES
    const end = Math.min(BLOCK_BYTES, this.bytes - start)
    const bytes = new Uint8Array(BLOCK_BYTES)
    this.read(start, bytes.subarray(0, end))
    bytes.set(part, at - start)
    return bytes
  }

  #check(offset: number, length: number): void {
    const isWithin = Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= this.bytes
    assert(isWithin, `${length} bytes at ${offset} are not within ${this.name}, which has ${this.bytes}`)
  }
}
