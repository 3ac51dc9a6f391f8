/**
 * Where the written blocks of a disk are on the host: in slabs of memory, and those for which there is no room in a file.
 *
 * A block is in a slot. Slots of memory have the numbers 1, 2, ...: `SLAB_BLOCKS` in each slab. Slots of the file have -1, -2, ...,
 * which stand there one after the other. When all slabs are full, the one that was filled longest ago goes into the file as a
 * whole, and is filled anew. A block that is written again is in memory then. Where a block is changes nothing but speed.
 */
import assert from 'node:assert/strict'
import { PAGE_BYTES } from './layout.ts'

/** A block is written, hashed and kept as a whole: the size of a page, so that a checkpoint has one kind of them. */
export const BLOCK_BYTES = PAGE_BYTES

/** A file that is nobody else's and need not outlive the process. Both throw what the host throws, with the file's name. */
export interface SpillFile {
  write(offset: number, bytes: Uint8Array): void
  /** Fills `into`, with what was written there. */
  read(offset: number, into: Uint8Array): void
}

/** What a host gives for the written blocks of one machine. */
export interface Overlay {
  /** Of memory, for all its disks together; a slab a disk is the least. */
  memoryBytes: number
  /** Makes the file of a disk, when there is no room in memory any more. Throws what the host throws. */
  openFile(storage: string): SpillFile
}

/** One MiB. */
export const SLAB_BLOCKS = 256
/** Of a block that is in no slot. */
export const NO_SLOT = 0

interface Slab {
  bytes: Uint8Array
  /** By slot in it: the number of its block, which stays there until all of them leave. */
  owners: Uint32Array
  /** Slots that were given out. */
  used: number
}

export class BlockStore {
  readonly #mostSlabs: number
  readonly #openFile: (() => SpillFile) | undefined
  /** Told where a block is now. */
  readonly #moved: (block: number, slot: number) => void
  readonly #slabs: Slab[] = []
  /** The slab that is being filled. */
  #filling = 0
  #file: SpillFile | undefined
  /** Slots that the file has, and those of them that have no block any more: together no more than the disk has blocks. */
  #fileSlots = 0
  readonly #freeFileSlots: number[] = []

  /** @param memoryBytes absent: any number */
  constructor(
    memoryBytes: number | undefined,
    openFile: (() => SpillFile) | undefined,
    moved: (block: number, slot: number) => void,
  ) {
    this.#mostSlabs = Math.max(1, Math.floor((memoryBytes ?? Number.POSITIVE_INFINITY) / (SLAB_BLOCKS * BLOCK_BYTES)))
    this.#openFile = openFile
    this.#moved = moved
  }

  /** How many blocks are, or were, in the file at once. */
  get fileBlocks(): number {
    return this.#fileSlots
  }

  /** Copies a whole block to where it is from now on. `slot` is where it was. */
  put(block: number, slot: number, bytes: Uint8Array): number {
    assert(bytes.length === BLOCK_BYTES)
    const now = slot > NO_SLOT ? slot : this.#newSlot(block)
    if (slot < NO_SLOT) this.#freeFileSlots.push(slot)
    this.#inMemory(now).set(bytes)
    return now
  }

  /** Fills `into` with a block's bytes from `from` on. */
  read(slot: number, from: number, into: Uint8Array): void {
    assert(slot !== NO_SLOT && from + into.length <= BLOCK_BYTES)
    if (slot > NO_SLOT) into.set(this.#inMemory(slot).subarray(from, from + into.length))
    else this.#spill.read((-slot - 1) * BLOCK_BYTES + from, into)
  }

  /** A block's bytes, for the caller to look at once: they are its own, or those of `scratch`, filled with them. */
  view(slot: number, scratch: Uint8Array): Uint8Array {
    if (slot > NO_SLOT) return this.#inMemory(slot)
    this.read(slot, 0, scratch)
    return scratch
  }

  #inMemory(slot: number): Uint8Array {
    const { bytes } = this.#slabs[Math.floor((slot - 1) / SLAB_BLOCKS)]!
    const at = ((slot - 1) % SLAB_BLOCKS) * BLOCK_BYTES
    return bytes.subarray(at, at + BLOCK_BYTES)
  }

  #newSlot(block: number): number {
    let slab = this.#slabs[this.#filling]
    if (slab === undefined || slab.used === SLAB_BLOCKS) slab = this.#nextSlab()
    const place = slab.used++
    slab.owners[place] = block
    return this.#filling * SLAB_BLOCKS + place + 1
  }

  /** A new one, or the one that was filled longest ago, once its blocks are in the file. */
  #nextSlab(): Slab {
    if (this.#slabs.length < this.#mostSlabs) {
      const bytes = new Uint8Array(SLAB_BLOCKS * BLOCK_BYTES)
      this.#filling = this.#slabs.length
      const slab = { bytes, owners: new Uint32Array(SLAB_BLOCKS), used: 0 }
      this.#slabs.push(slab)
      return slab
    }
    this.#filling = (this.#filling + 1) % this.#slabs.length
    const slab = this.#slabs[this.#filling]!
    this.#spillSlab(slab)
    slab.used = 0
    return slab
  }

  #spillSlab({ bytes, owners }: Slab): void {
    const slots = Array.from(owners, () => this.#freeFileSlots.pop() ?? -++this.#fileSlots)
    // As few writes as there are runs of slots.
    for (let from = 0; from < slots.length; ) {
      let to = from + 1
      while (to < slots.length && slots[to] === slots[to - 1]! - 1) to++
      this.#spill.write((-slots[from]! - 1) * BLOCK_BYTES, bytes.subarray(from * BLOCK_BYTES, to * BLOCK_BYTES))
      from = to
    }
    for (const [place, block] of owners.entries()) this.#moved(block, slots[place]!)
  }

  get #spill(): SpillFile {
    assert(this.#openFile !== undefined, 'a host that bounds memory gives a file')
    this.#file ??= this.#openFile()
    return this.#file
  }
}
