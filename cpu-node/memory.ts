/**
 * One WebAssembly memory holds all that guest code touches:
 *
 *     0          guest state (registers; the ISA's layout), then scratch slots of the interpreter
 *     0x4000     the ISA's TLB
 *     0x5000     soft TLB's second way, and
 *     0x8000     its first: read tags, write tags, addends (see soft-tlb.ts)
 *     0xb000     port words (see `Cpu.portWords`)
 *     0xc000     port cell cache (see port-cell-cache.ts)
 *     0x10000    jump cache (see jump-cache.ts)
 *     0x50000    code pages (see `CODE_PAGES`)
 *     0x58000    backing memory: RAM, ROMs, device memory, end to end
 *     after it   of each backing page 64 bits: the chunks of 64 bytes that code was made from; a byte of flags; then
 *                a record of each translated region (`REGION_RECORD`); of each backing page a word (`reached`); then the
 *                code arena
 *
 * Physical space is a table of pages that says which backing page, if any, stands at each physical page.
 */
import assert from 'node:assert/strict'
import { makeSpanHashes, type SpanHashes } from './hash.ts'
import { MemorySnapshot } from './page-snapshot.ts'

export const PAGE_BYTES = 4096
export const PAGE_SHIFT = 12
export const CHUNK_SHIFT = 6

export const STATE_BYTES = 0x4000
/** Guest state and what the interpreter may use for scratch. */
export const INTERPRETER_STATE_BYTES = STATE_BYTES - 96
/** Words above that, as byte offsets, by which generated code and its callers tell each other things. */
export const SCRATCH = {
  /** The hot loop's `remaining`, `ip`, `block` and `base`, in step whenever it calls out (see interpreter/micro-ops.ts). */
  remaining: STATE_BYTES - 64,
  ip: STATE_BYTES - 60,
  block: STATE_BYTES - 56,
  base: STATE_BYTES - 52,
  /** Of `Isa.direct`, how much may be used by the code that runs; an address in it + the addend = byte in CPU memory. */
  directBytes: STATE_BYTES - 48,
  directAddend: STATE_BYTES - 28,
  /** Why a region was left. */
  reason: STATE_BYTES - 32,
  /** What a slow load gives: 64 bits. */
  slowValue: STATE_BYTES - 24,
  /** Whether a helper failed. */
  failed: STATE_BYTES - 16,
  /** Instructions left before the limit, when a helper is called. */
  left: STATE_BYTES - 12,
  /** Where in the code arena to go on, with `Reason.entry`. */
  entry: STATE_BYTES - 8,
  /** The context of the code that runs, for the jump cache. */
  codeContext: STATE_BYTES - 44,
  /** Instructions done by translated code so far: 64 bits. */
  translated: STATE_BYTES - 40,
  /**
   * Of loops that wait for a device (translator/idle-loops.ts): whether a slow access did more than look at a cell; how many
   * instructions are left when the first of the cells ends that were looked at; backward jumps before it is asked again.
   */
  touched: STATE_BYTES - 68,
  cellsLeft: STATE_BYTES - 72,
  passes: STATE_BYTES - 76,
  /** A page's hash: 64 bits. */
  pageHash: STATE_BYTES - 88,
  /** Entries of regions before one is counted. */
  untilSample: STATE_BYTES - 92,
} as const
export const TLB_BASE = 0x4000
export const SECOND_WAY_BASE = 0x5000
export const SOFT_TLB_BASE = 0x8000
export const PORT_WORDS_BASE = 0xb000
export const PORT_CELL_CACHE_BASE = 0xc000
export const JUMP_CACHE_BASE = 0x10000
/**
 * The pages of code that were found lately, by virtual page: an entry is two words, the page's address with its context in the jump
 * cache, and `CodePage.id`. It holds as long as code can be fetched there.
 */
export const CODE_PAGES = { base: 0x50000, entries: 4096, shift: 3 } as const
export const BACKING_BASE = 0x58000
const WASM_PAGE_BYTES = 65536
/** Bits 12 and up of an offset in backing memory lead to the 64 bits of its page. */
export const CHUNK_BYTES_SHIFT = PAGE_SHIFT - 3

/** Flags of a backing page. Dirty: it may be written without this being told. */
const DIRTY = 1
const CODE = 2
const TOUCHED = 4
/** Flags of a page that generated code may write. */
export const FREE_TO_WRITE = DIRTY | TOUCHED

/** What else is noted of a backing page: it was written since the last hash of it, since the last snapshot. */
const UNHASHED = 1
const WRITTEN = 2

/** Entries of the physical page table: -1 no memory; else the backing page, with this bit where writes go to the port. */
const ROM_BIT = 0x4000_0000
const NO_MEMORY = -1
/** Of a backing page that was reached as several physical pages. */
const SEVERAL = -1
/**
 * What generated code knows of a region, as byte offsets: the instructions it has done, 64 bits; entries before it is crowded, as far as
 * they are counted (translator/dispatcher.ts); of relative code each page's `CodePage.id`, in the order of their addresses.
 */
export const REGION_RECORD = { shift: 6, instructions: 0, left: 8, pages: 16 } as const
/** Pages that the code of one region may be of. */
export const MAX_REGION_PAGES = ((1 << REGION_RECORD.shift) - REGION_RECORD.pages) / 4
/** Gathered for one call of a digest's `update`. */
const DIGEST_PAGES = 64
/** Of a page's number, in a digest. */
const NUMBER_BYTES = 4

/** Keeps what depends on backing memory's contents in step with writes to it. */
export interface MemoryWatcher {
  /** `[offset, offset + length)` of backing memory was now written; code was made from a page of it. */
  codeWritten(offset: number, length: number): void
  /** No page may be written without the slow path seeing it first. */
  forgetWriteTags(): void
  /** Physical pages now stand elsewhere. */
  forgetMapping(): void
}

export class GuestMemory {
  readonly memory: WebAssembly.Memory
  /** Of `memory`, in pages of 64 KiB. */
  readonly wasmPages: number
  readonly buffer: ArrayBuffer
  readonly bytes: Uint8Array
  readonly halves: Uint16Array
  readonly words: Int32Array
  readonly backingBytes: number
  /** The bits of code chunks, in bytes from the start of `memory`. */
  readonly chunkBase: number
  /** The flags of backing pages, in bytes from the start of `memory`. */
  readonly flagBase: number
  /** Of each backing page the physical page that it was reached as, and 1: `reached`. In bytes from the start of `memory`. */
  readonly frameBase: number
  /** The record of each translated region, in bytes from the start of `memory`, and as words: see `REGION_RECORD`. */
  readonly regionBase: number
  readonly regionRecords: Int32Array
  /** The code arena, in bytes from the start of `memory`, and its words. */
  readonly arenaBase: number
  readonly arena: Int32Array
  /** Of any span of `memory`. */
  readonly hashes: SpanHashes
  readonly #physical = new Int32Array(2 ** 20).fill(NO_MEMORY)
  readonly #flags: Uint8Array
  /** As of the last `hash`: two words each, the low one first. */
  readonly #pageHashes: Uint32Array
  readonly #codeChunks: Int32Array
  readonly #frames: Int32Array
  readonly #notes: Uint8Array
  /** Pages with that note. All that are dirty are unhashed. */
  readonly #unhashed: number[] = []
  readonly #written: number[] = []
  #snapshot: MemorySnapshot | undefined
  /** The sum of `#pageHashes`, modulo 2^64. */
  #hashLow = 0
  #hashHigh = 0
  #watcher: MemoryWatcher | undefined

  /** `regions`: how many there may be; their numbers begin with 1. */
  constructor(backingBytes: number, arenaWords: number, regions: number) {
    this.backingBytes = Math.ceil(backingBytes / PAGE_BYTES) * PAGE_BYTES
    const pages = this.backingBytes / PAGE_BYTES
    this.chunkBase = BACKING_BASE + this.backingBytes
    this.flagBase = this.chunkBase + 8 * pages
    this.regionBase = Math.ceil((this.flagBase + pages) / PAGE_BYTES) * PAGE_BYTES
    const recordBytes = (regions + 1) << REGION_RECORD.shift
    this.frameBase = this.regionBase + recordBytes
    this.arenaBase = Math.ceil((this.frameBase + 4 * pages) / PAGE_BYTES) * PAGE_BYTES
    this.wasmPages = Math.ceil((this.arenaBase + 4 * arenaWords) / WASM_PAGE_BYTES)
    this.memory = new WebAssembly.Memory({ initial: this.wasmPages, maximum: this.wasmPages })
    this.buffer = this.memory.buffer
    this.hashes = makeSpanHashes(this.memory, this.wasmPages)
    this.bytes = new Uint8Array(this.buffer)
    this.halves = new Uint16Array(this.buffer)
    this.words = new Int32Array(this.buffer)
    this.regionRecords = new Int32Array(this.buffer, this.regionBase, recordBytes / 4)
    this.arena = new Int32Array(this.buffer, this.arenaBase, arenaWords)
    this.#flags = new Uint8Array(this.buffer, this.flagBase, pages)
    this.#pageHashes = new Uint32Array(2 * pages)
    this.#notes = new Uint8Array(pages)
    this.#frames = new Int32Array(this.buffer, this.frameBase, pages)
    this.#codeChunks = new Int32Array(this.buffer, this.chunkBase, 2 * pages)
  }

  watch(watcher: MemoryWatcher): void {
    this.#watcher = watcher
  }

  map(base: number, length: number, backingOffset: number, mode: 'ram' | 'rom'): void {
    assert(base % PAGE_BYTES === 0 && length % PAGE_BYTES === 0 && backingOffset % PAGE_BYTES === 0)
    assert(backingOffset + length <= this.backingBytes && base + length <= 2 ** 32)
    const first = base / PAGE_BYTES
    for (let page = 0; page < length / PAGE_BYTES; page++) {
      this.#physical[first + page] = (backingOffset / PAGE_BYTES + page) | (mode === 'rom' ? ROM_BIT : 0)
    }
    this.#watcher?.forgetMapping()
  }

  unmap(base: number, length: number): void {
    assert(base % PAGE_BYTES === 0 && length % PAGE_BYTES === 0)
    this.#physical.fill(NO_MEMORY, base / PAGE_BYTES, (base + length) / PAGE_BYTES)
    this.#watcher?.forgetMapping()
  }

  /** The backing page that may be read at physical `address`, or -1. */
  readablePage(address: number): number {
    const entry = this.#physical[address >>> PAGE_SHIFT]!
    return entry === NO_MEMORY ? -1 : entry & ~ROM_BIT
  }

  /** The backing page that may be written at physical `address`, or -1: not memory, or ROM. */
  writablePage(address: number): number {
    const entry = this.#physical[address >>> PAGE_SHIFT]!
    return entry === NO_MEMORY || (entry & ROM_BIT) !== 0 ? -1 : entry
  }

  /** How much RAM stands end to end, in backing memory too, from physical `address` on: of `length` bytes. */
  ramFrom(address: number, length: number): { backing: number; bytes: number } {
    const first = this.writablePage(address)
    let pages = 0
    while (
      first >= 0 &&
      pages * PAGE_BYTES < length &&
      this.writablePage(address + pages * PAGE_BYTES) === first + pages
    ) {
      pages++
    }
    return { backing: Math.max(first, 0) * PAGE_BYTES, bytes: pages * PAGE_BYTES }
  }

  /** The words of a backing page. */
  pageWords(page: number): Int32Array {
    const first = (BACKING_BASE + page * PAGE_BYTES) / 4
    return this.words.subarray(first, first + PAGE_BYTES / 4)
  }

  read(offset: number, length: number): Uint8Array {
    return this.view(offset, length).slice()
  }

  view(offset: number, length: number): Uint8Array {
    assert(offset >= 0 && offset + length <= this.backingBytes)
    return this.bytes.subarray(BACKING_BASE + offset, BACKING_BASE + offset + length)
  }

  /** A write from outside the CPU. */
  write(offset: number, bytes: Uint8Array): void {
    assert(offset >= 0 && offset + bytes.length <= this.backingBytes)
    if (bytes.length === 0) return
    const last = (offset + bytes.length - 1) >>> PAGE_SHIFT
    let code = false
    for (let page = offset >>> PAGE_SHIFT; page <= last; page++) {
      this.markDirty(page)
      code ||= this.hasCode(page)
    }
    this.bytes.set(bytes, BACKING_BASE + offset)
    if (code) this.#watcher?.codeWritten(offset, bytes.length)
  }

  /** To be called before a page is written. */
  markDirty(page: number): void {
    const flags = this.#flags[page]!
    if ((flags & DIRTY) !== 0) return
    this.#flags[page] = flags | DIRTY | TOUCHED
    this.#snapshot?.keep(page)
    const notes = this.#notes[page]!
    this.#notes[page] = UNHASHED | WRITTEN
    if ((notes & UNHASHED) === 0) this.#unhashed.push(page)
    if ((notes & WRITTEN) === 0) this.#written.push(page)
  }

  /**
   * The soft TLB is to lead to `page` as that of `physical`: whatever it leads to was reached as one physical page, or as
   * several, which is noted for good.
   */
  reached(page: number, physical: number): void {
    const frame = (physical >>> PAGE_SHIFT) + 1
    const known = this.#frames[page]!
    if (known !== frame) this.#frames[page] = known === 0 ? frame : SEVERAL
  }

  /** Of pages that were ever written: the host keeps memory for no others. */
  get touchedBytes(): number {
    let pages = 0
    for (const flags of this.#flags) if ((flags & TOUCHED) !== 0) pages++
    return pages * PAGE_BYTES
  }

  /** Whether it may be written without `markDirty`: else there is no write tag of it. */
  isDirty(page: number): boolean {
    return (this.#flags[page]! & DIRTY) !== 0
  }

  hasCode(page: number): boolean {
    return (this.#flags[page]! & CODE) !== 0
  }

  /** Whether code was made from any of the chunks that the bytes at `offset`, all of one page, are in. */
  isCode(offset: number, length: number): boolean {
    const page = offset >>> PAGE_SHIFT
    if ((this.#flags[page]! & CODE) === 0) return false
    const last = ((offset + length - 1) >>> CHUNK_SHIFT) & 63
    for (let chunk = (offset >>> CHUNK_SHIFT) & 63; chunk <= last; chunk++) {
      if ((this.#codeChunks[2 * page + (chunk >>> 5)]! & (1 << (chunk & 31))) !== 0) return true
    }
    return false
  }

  /** Code was made from bytes of one page: writes to them are to be reported. The caller forgets the page's write tags. */
  markCode(offset: number, length: number): void {
    const page = offset >>> PAGE_SHIFT
    this.#flags[page] = this.#flags[page]! | CODE
    const last = ((offset + length - 1) >>> CHUNK_SHIFT) & 63
    for (let chunk = (offset >>> CHUNK_SHIFT) & 63; chunk <= last; chunk++) {
      this.#codeChunks[2 * page + (chunk >>> 5)]! |= 1 << (chunk & 31)
    }
  }

  /** No code is left that was made from any of the chunks that the bytes at `offset`, all of one page, are in. */
  clearCode(offset: number, length: number): void {
    const page = offset >>> PAGE_SHIFT
    const chunks = this.#codeChunks
    const last = ((offset + length - 1) >>> CHUNK_SHIFT) & 63
    for (let chunk = (offset >>> CHUNK_SHIFT) & 63; chunk <= last; chunk++) {
      chunks[2 * page + (chunk >>> 5)]! &= ~(1 << (chunk & 31))
    }
    if ((chunks[2 * page]! | chunks[2 * page + 1]!) === 0) this.#flags[page] = this.#flags[page]! & ~CODE
  }

  /** A 64-bit hash of backing memory, kept up to date page by page: costs what was written since the last call. */
  hash(): { low: number; high: number } {
    const hashes = this.#pageHashes
    this.#clearDirty()
    for (const page of this.#unhashed) {
      this.#notes[page] = this.#notes[page]! & ~UNHASHED
      const { low, high } = this.#pageHash(page)
      const sum = this.#hashLow - hashes[2 * page]! + low
      this.#hashLow = sum >>> 0
      this.#hashHigh = (this.#hashHigh - hashes[2 * page + 1]! + high + Math.floor(sum / 2 ** 32)) >>> 0
      hashes[2 * page] = low
      hashes[2 * page + 1] = high
    }
    this.#unhashed.length = 0
    return { low: this.#hashLow, high: this.#hashHigh }
  }

  /** Pages that were written since the last snapshot. */
  get writtenPages(): number {
    return this.#written.length
  }

  /** Those pages, as they are now. One at a time. */
  snapshot(): MemorySnapshot {
    assert(this.#snapshot === undefined, 'there is a snapshot already')
    this.#clearDirty()
    const pages = Uint32Array.from(this.#written).sort()
    for (const page of pages) this.#notes[page] = this.#notes[page]! & ~WRITTEN
    this.#written.length = 0
    const backing = this.bytes.subarray(BACKING_BASE, BACKING_BASE + this.backingBytes)
    const snapshot = new MemorySnapshot(backing, pages, () => {
      if (this.#snapshot === snapshot) this.#snapshot = undefined
    })
    this.#snapshot = snapshot
    return snapshot
  }

  /** No page is written from now on before `markDirty` is called. */
  #clearDirty(): void {
    this.#watcher?.forgetWriteTags()
    for (const page of this.#unhashed) this.#flags[page] = this.#flags[page]! & ~DIRTY
  }

  /**
   * Feeds the number of every page that is not all zero, in order, and the hash of what its bytes are now: SHA-256 of the
   * bytes takes more than three times as long, 0.1 s of the end of a boot.
   */
  digestHashes(update: (bytes: Uint8Array) => void): void {
    const gathered: number[] = []
    for (let page = 0; page < this.#flags.length; page++) {
      if ((this.#flags[page]! & TOUCHED) === 0) continue
      const { low, high } = this.#pageHash(page)
      if (low !== 0 || high !== 0) gathered.push(page, low, high)
    }
    update(new Uint8Array(Uint32Array.from(gathered).buffer))
  }

  /** Of what its bytes are now; 0 of a page of zeros, which is as if it had not been touched. */
  #pageHash(page: number): { low: number; high: number } {
    this.hashes.store(this.#byteOf(page), PAGE_BYTES, page, SCRATCH.pageHash)
    const at = SCRATCH.pageHash / 4
    return { low: this.words[at]! >>> 0, high: this.words[at + 1]! >>> 0 }
  }

  /** Feeds every page that is not all zero, with its number, in order. */
  digestPages(update: (bytes: Uint8Array) => void): void {
    // Many pages at a time: a call for each takes longer than hashing it.
    const gathered = new Uint8Array(DIGEST_PAGES * (NUMBER_BYTES + PAGE_BYTES))
    const view = new DataView(gathered.buffer)
    let length = 0
    for (const page of this.#digested()) {
      const start = this.#byteOf(page)
      view.setUint32(length, page, true)
      gathered.set(this.bytes.subarray(start, start + PAGE_BYTES), length + NUMBER_BYTES)
      length += NUMBER_BYTES + PAGE_BYTES
      if (length < gathered.length) continue
      update(gathered)
      length = 0
    }
    update(gathered.subarray(0, length))
  }

  /** Pages that are not all zero, in order. */
  *#digested(): Iterable<number> {
    for (let page = 0; page < this.#flags.length; page++) {
      if ((this.#flags[page]! & TOUCHED) !== 0 && !isZero(this.words, this.#byteOf(page) / 4)) yield page
    }
  }

  #byteOf(page: number): number {
    return BACKING_BASE + page * PAGE_BYTES
  }
}

function isZero(words: Int32Array, start: number): boolean {
  for (let index = start; index < start + PAGE_BYTES / 4; index++) if (words[index] !== 0) return false
  return true
}
