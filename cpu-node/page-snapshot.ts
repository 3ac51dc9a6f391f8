/**
 * Pages of backing memory as they stand at one moment, read some at a time while the guest runs on: what is about to be written
 * is put aside before. Many in a row come first, and are not copied to be read. If one of them is written before they have been, it is
 * put aside as well, and comes again.
 */
import { PAGE_BYTES, type PageBatch, type PageSnapshot } from '../bus/mod.ts'

/** Ten milliseconds of the thread that compresses them. */
const BATCH_PAGES = 1024
/** So many in a row are not copied: for fewer, a batch of their own costs the guest's thread more than copies of them. */
const ROW_PAGES = 256

export class MemorySnapshot implements PageSnapshot {
  readonly #backing: Uint8Array
  /** In order. */
  readonly #pages: Uint32Array
  /** Of each page of backing memory, whether it is to be read as it stands there, or is being read there. */
  readonly #isThere: Uint8Array
  readonly #onClose: () => void
  /** Those that have been written since, as they were. */
  readonly #aside: Batch[] = []
  /** For those that are few in a row. */
  readonly #room: Batch
  /** What is being read where it stands. */
  #row: Uint32Array = new Uint32Array(0)
  /** Of `#pages`, those before have been looked at for rows. */
  #nextInRow = 0
  /** Of `#pages`, those before have been given or put aside. */
  #next = 0

  /** @param pages in order, each once */
  constructor(backing: Uint8Array, pages: Uint32Array, onClose: () => void) {
    this.#backing = backing
    this.#pages = pages
    this.#isThere = new Uint8Array(backing.length / PAGE_BYTES)
    for (const page of pages) this.#isThere[page] = 1
    this.#onClose = onClose
    this.#room = new Batch(Math.min(pages.length, BATCH_PAGES))
  }

  /** A page is about to be written. */
  keep(page: number): void {
    if (this.#isThere[page] === 0) return
    this.#isThere[page] = 0
    let batch = this.#aside.at(-1)
    if (batch === undefined || batch.room === 0) {
      batch = new Batch(BATCH_PAGES)
      this.#aside.push(batch)
    }
    batch.add(this.#backing, page)
  }

  next(): PageBatch | undefined {
    for (const page of this.#row) this.#isThere[page] = 0
    this.#row = this.#row.subarray(0, 0)
    // Few at a time would hold the guest up more often.
    if (this.#aside[0]?.room === 0) return this.#aside.shift()?.contents
    return this.#nextRow() ?? this.#nextCopies() ?? this.#aside.shift()?.contents
  }

  close(): void {
    this.#onClose()
  }

  /** The next that are many in a row, as they stand there. */
  #nextRow(): PageBatch | undefined {
    while (this.#nextInRow < this.#pages.length) {
      const at = this.#nextInRow
      const count = this.#countRow(at)
      this.#nextInRow += Math.max(count, 1)
      if (count >= ROW_PAGES) return this.#takeRow(at, count)
    }
    return undefined
  }

  /** How many stand there in a row, from place `at` of `#pages` on: up to a batch. */
  #countRow(at: number): number {
    const first = this.#pages[at]!
    let count = 0
    while (count < BATCH_PAGES && this.#pages[at + count] === first + count && this.#isThere[first + count] !== 0) {
      count++
    }
    return count
  }

  #takeRow(at: number, count: number): PageBatch {
    const pages = this.#pages.subarray(at, at + count)
    this.#row = pages
    const from = PAGE_BYTES * pages[0]!
    return { pages, bytes: this.#backing.subarray(from, from + PAGE_BYTES * count) }
  }

  /** Copies of the next that are left. */
  #nextCopies(): PageBatch | undefined {
    const room = this.#room
    room.clear()
    while (this.#next < this.#pages.length && room.room > 0) {
      const page = this.#pages[this.#next++]!
      if (this.#isThere[page] === 0) continue
      this.#isThere[page] = 0
      room.add(this.#backing, page)
    }
    return room.isEmpty ? undefined : room.contents
  }
}

/** Copies of pages, end to end. */
class Batch {
  readonly #pages: Uint32Array
  readonly #bytes: Uint8Array
  #count = 0

  constructor(mostPages: number) {
    this.#pages = new Uint32Array(mostPages)
    this.#bytes = new Uint8Array(PAGE_BYTES * mostPages)
  }

  /** For how many more. */
  get room(): number {
    return this.#pages.length - this.#count
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  get contents(): PageBatch {
    return { pages: this.#pages.subarray(0, this.#count), bytes: this.#bytes.subarray(0, PAGE_BYTES * this.#count) }
  }

  add(backing: Uint8Array, page: number): void {
    const from = backing.subarray(PAGE_BYTES * page, PAGE_BYTES * (page + 1))
    this.#bytes.set(from, PAGE_BYTES * this.#count)
    this.#pages[this.#count++] = page
  }

  clear(): void {
    this.#count = 0
  }
}
