/**
 * All the bytes that a machine holds, in pages by number: its backing memory, and behind it its storages, one after the other, each
 * from a page's start. What is hashed, kept in checkpoints and put back is of all of them alike.
 */
import assert from 'node:assert/strict'
import type { Cpu, PageBatch, PageDigest, PageSnapshot } from './cpu.ts'
import { PAGE_BYTES } from './layout.ts'
import type { Storage } from './storage.ts'

/** Of storages', in a batch of a snapshot. */
const BATCH_PAGES = 1024

export class MachineContents {
  readonly #cpu: Cpu
  /** Each with the number of its first page. */
  readonly #storages: readonly { storage: Storage; firstPage: number }[]
  readonly #memoryPages: number

  constructor(cpu: Cpu, backingBytes: number, storages: readonly Storage[]) {
    this.#cpu = cpu
    this.#memoryPages = backingBytes / PAGE_BYTES
    let firstPage = this.#memoryPages
    this.#storages = storages.map((storage) => {
      const placed = { storage, firstPage }
      firstPage += storage.blockCount
      return placed
    })
  }

  /** What the disk called `name` (`device.region`) holds. */
  storage(name: string): Storage | undefined {
    return this.#storages.find(({ storage }) => storage.name === name)?.storage
  }

  /** A 64-bit hash, in two halves; costs what was written since it was last asked. Of a machine without storages: that of its memory. */
  hash(): { low: number; high: number } {
    const { low, high } = this.#cpu.hashMemory()
    if (this.#storages.length === 0) return { low, high }
    const memory = (BigInt(high) << 32n) | BigInt(low)
    const all = this.#storages.reduce((sum, { storage }) => sum + storage.hash(), memory)
    return { low: Number(BigInt.asUintN(32, all)), high: Number(BigInt.asUintN(32, all >> 32n)) }
  }

  /** How many pages were written since the last snapshot. */
  get writtenPages(): number {
    return this.#storages.reduce((sum, { storage }) => sum + storage.writtenBlocks, this.#cpu.writtenPages)
  }

  /** Those pages as they are now: one snapshot at a time. */
  snapshot(): PageSnapshot {
    const memory = this.#cpu.snapshot()
    const disks = this.#storages.map(({ storage, firstPage }) => ({ blocks: storage.snapshot(), firstPage }))
    const nextBlocks = (): PageBatch | undefined => {
      for (const { blocks, firstPage } of disks) {
        const { numbers, bytes } = blocks.next(BATCH_PAGES)
        if (numbers.length > 0) return { pages: Uint32Array.from(numbers, (number) => firstPage + number), bytes }
      }
      return undefined
    }
    return {
      next: () => memory.next() ?? nextBlocks(),
      close: () => {
        memory.close()
        for (const { blocks } of disks) blocks.close()
      },
    }
  }

  writePage(page: number, bytes: Uint8Array): void {
    if (page < this.#memoryPages) {
      this.#cpu.writeBacking(page * PAGE_BYTES, bytes)
      return
    }
    const found = this.#storages.findLast(({ firstPage }) => firstPage <= page)
    assert(found !== undefined, `the machine has no page ${page}`)
    found.storage.putBlock(page - found.firstPage, bytes)
  }

  /** Feeds the CPU node's state and all that is held to a strong hash; of storages what was ever written. */
  digest(update: (bytes: Uint8Array) => void, pages: PageDigest): void {
    this.#cpu.digest(update, pages)
    for (const { storage } of this.#storages) storage.digest(update)
  }
}
