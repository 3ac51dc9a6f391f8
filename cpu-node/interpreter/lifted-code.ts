/**
 * What runs have lifted, kept by whoever runs machines for later runs: a boot makes 75,000 blocks, most of them run a few times
 * only, and making one takes ten times as long as comparing the guest's code with what one was made of and copying it.
 *
 * It is run as it is: it is to come from who may run programs as this user, never with a recording, and from this very version
 * of the lifters and the interpreter. One is of one board's CPU: what its model has a say in is the same for all.
 */
import { PAGE_BYTES } from '../memory.ts'
import type { NewBlock } from './code-cache.ts'

/** Bytes that are no lifted code. */
export class LiftedCodeError extends Error {
  override readonly name = 'LiftedCodeError'
}

/** What lifting a block depends on, besides its words. */
export interface BlockKey {
  /** As `CodeBlock.pc`. */
  pc: number
  /** `Isa.codeFlags`. */
  flags: number
  relative: boolean
  bigEndian: boolean
  /** Where it was cut: so many instructions at most, 127 or less. 0: it is whole. */
  cut: number
}

/** Of all that is kept: 13 MiB. A boot's is 11, and some programs' after it 2; what long runs go on finding is not worth more. */
const MAX_WORDS = 13 << 18
/** It is worth keeping anew if this share more was lifted. */
const WORTH_KEEPING = 1 / 16
const MAGIC = 0x414e4c31
const HEADER_WORDS = 3
/** Where there are no records yet. */
const FIRST_SLOTS = 2 ** 12

// Words of a record: these, the guest's words, the micro-ops, and where each instruction starts in them, two to a word.
const PC = 0
const FLAGS = 1
/** Bits: `relative`, `bigEndian`, `cut`, `lastInDelaySlot`, and how many instructions. */
const SHAPE = 2
/** How many words of the guest's, and of micro-ops above these. */
const SIZES = 3
const RECORD_WORDS = 4
const CUT_SHIFT = 2
const KIND_MASK = 0x1ff
const LAST_IN_DELAY_SLOT = 0x200
const INSTRUCTIONS_SHIFT = 10
const CODE_SHIFT = 16
const SIZE_MASK = 0xffff
const INSTRUCTION_BYTES = 4

/** Records end to end, and a table by hash of where they are. */
class Records {
  readonly words: Int32Array
  /** Place of a record, and 1; 0: none. At least half are. */
  slots: Int32Array
  end: number
  count: number
  /** The record after the one that was found last: runs of one guest lift most blocks in the same order. */
  #next = 0

  /** `words`: all the room that there is. */
  constructor(words: Int32Array, slots: Int32Array = new Int32Array(FIRST_SLOTS), end = 0, count = 0) {
    this.words = words
    this.slots = slots
    this.end = end
    this.count = count
  }

  /** The record of the block at `pc` that is made of the words from `guest[at]` on; -1: none. */
  find(pc: number, flags: number, kind: number, guest: Int32Array, at: number): number {
    let record = this.#next
    if (record >= this.end || !this.#isOf(record, pc, flags, kind, guest, at)) {
      record = this.#look(pc, flags, kind, guest, at)
      if (record < 0) return -1
    }
    this.#next = record + sizeOf(this.words, record)
    return record
  }

  #look(pc: number, flags: number, kind: number, guest: Int32Array, at: number): number {
    const { slots } = this
    const mask = slots.length - 1
    for (let slot = hash(pc, flags, guest[at]!) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const record = slots[slot]! - 1
      if (this.#isOf(record, pc, flags, kind, guest, at)) return record
    }
    return -1
  }

  #isOf(record: number, pc: number, flags: number, kind: number, guest: Int32Array, at: number): boolean {
    const { words } = this
    if (words[record + PC] !== pc || words[record + FLAGS] !== flags) return false
    if ((words[record + SHAPE]! & KIND_MASK) !== kind) return false
    const count = words[record + SIZES]! & SIZE_MASK
    for (let index = 0; index < count; index++) {
      if (words[record + RECORD_WORDS + index] !== guest[at + index]) return false
    }
    return true
  }

  /** Where they are, in the order in which they came. */
  *records(): Iterable<number> {
    for (let record = 0; record < this.end; record += sizeOf(this.words, record)) yield record
  }

  /** Takes a record of `size` words that has been written at `end`. */
  push(size: number): void {
    if (2 * (this.count + 1) > this.slots.length) this.#growSlots()
    this.#enter(this.end)
    this.end += size
    this.count++
  }

  #enter(record: number): void {
    const { words, slots } = this
    const mask = slots.length - 1
    let slot = hash(words[record + PC]!, words[record + FLAGS]!, words[record + RECORD_WORDS]!) & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = record + 1
  }

  #growSlots(): void {
    const before = this.slots
    this.slots = new Int32Array(2 * before.length)
    for (const place of before) if (place !== 0) this.#enter(place - 1)
  }
}

/** As a block to be added it is the one that was found last. */
export class LiftedCode implements NewBlock {
  pc = 0
  length = 0
  instructions = 0
  lastInDelaySlot = false
  codeWords = 0
  readonly code: Int32Array
  readonly pcs: Int32Array
  readonly starts: Int32Array
  readonly #known: Records
  /** By a fourth of a record's place: this run has had the block. */
  readonly #used: Uint8Array
  #usedWords = 0
  /** What of it is not written yet is no memory of the host's. */
  readonly #made = new Records(new Int32Array(MAX_WORDS))

  /** `bytes`: what `encode` gave. Throws `LiftedCodeError`. */
  constructor(bytes?: Uint8Array) {
    this.#known = bytes === undefined ? new Records(new Int32Array(0)) : decode(bytes)
    this.#used = new Uint8Array((this.#known.end >>> 2) + 1)
    // Room for the largest.
    this.code = new Int32Array(SIZE_MASK)
    this.pcs = new Int32Array(PAGE_BYTES / INSTRUCTION_BYTES)
    this.starts = new Int32Array(PAGE_BYTES / INSTRUCTION_BYTES)
  }

  /** There is so much new that it should be kept. */
  get isWorthKeeping(): boolean {
    return this.#made.end > WORTH_KEEPING * this.#known.end
  }

  /** Finds the block of `key` that is made of the words from `guest[at]` on. */
  find(key: BlockKey, guest: Int32Array, at: number): boolean {
    const { pc, flags } = key
    const kind = kindOf(key)
    const known = this.#known.find(pc, flags, kind, guest, at)
    if (known >= 0) {
      this.#take(this.#known.words, known)
      if (this.#used[known >>> 2] === 0) {
        this.#used[known >>> 2] = 1
        this.#usedWords += sizeOf(this.#known.words, known)
      }
      return true
    }
    const made = this.#made.find(pc, flags, kind, guest, at)
    if (made >= 0) this.#take(this.#made.words, made)
    return made >= 0
  }

  #take(words: Int32Array, record: number): void {
    const shape = words[record + SHAPE]!
    const sizes = words[record + SIZES]!
    const guestWords = sizes & SIZE_MASK
    const pc = words[record + PC]!
    const instructions = shape >>> INSTRUCTIONS_SHIFT
    const { code, pcs, starts } = this
    this.pc = pc
    this.length = guestWords * INSTRUCTION_BYTES
    this.instructions = instructions
    this.lastInDelaySlot = (shape & LAST_IN_DELAY_SLOT) !== 0
    this.codeWords = sizes >>> CODE_SHIFT
    let from = record + RECORD_WORDS + guestWords
    for (let index = 0; index < this.codeWords; index++) code[index] = words[from++]!
    for (let index = 0; index < instructions; index += 2) {
      const two = words[from++]!
      starts[index] = two & SIZE_MASK
      starts[index + 1] = two >>> 16
    }
    for (let index = 0; index < instructions; index++) pcs[index] = (pc + INSTRUCTION_BYTES * index) | 0
  }

  /** `made` was lifted from the words from `guest[at]` on, and was not found. */
  add(key: BlockKey, guest: Int32Array, at: number, made: NewBlock): void {
    const { pc, length, instructions, lastInDelaySlot, codeWords, code, pcs, starts } = made
    const records = this.#made
    const guestWords = length / INSTRUCTION_BYTES
    const size = RECORD_WORDS + guestWords + codeWords + ((instructions + 1) >>> 1)
    // Each instruction has a word, and they follow each other: of others nothing is kept.
    const isPlain = guestWords === instructions && pcs[instructions - 1] === ((pc + length - INSTRUCTION_BYTES) | 0)
    if (!isPlain || codeWords > SIZE_MASK || this.#usedWords + records.end + size > MAX_WORDS) return
    const { words, end } = records
    words[end + PC] = pc
    words[end + FLAGS] = key.flags
    words[end + SHAPE] = kindOf(key) | (lastInDelaySlot ? LAST_IN_DELAY_SLOT : 0) | (instructions << INSTRUCTIONS_SHIFT)
    words[end + SIZES] = guestWords | (codeWords << CODE_SHIFT)
    let to = end + RECORD_WORDS
    for (let index = 0; index < guestWords; index++) words[to++] = guest[at + index]!
    for (let index = 0; index < codeWords; index++) words[to++] = code[index]!
    for (let index = 0; index < instructions; index += 2) {
      words[to++] = starts[index]! | (index + 1 < instructions ? starts[index + 1]! << 16 : 0)
    }
    records.push(size)
  }

  /** What this run has had, what it has lifted, and as there is room what else was known. */
  encode(): Uint8Array {
    const most = Math.min(this.#known.end + this.#made.end, MAX_WORDS)
    const encoded = new Int32Array(HEADER_WORDS + most + slotsFor(this.#known.count + this.#made.count))
    const all = new Records(encoded.subarray(HEADER_WORDS, HEADER_WORDS + most))
    // In the order in which they were lifted, in which they will be wanted again.
    const copyKnown = (used: 0 | 1) => {
      for (const record of this.#known.records()) {
        if (this.#used[record >>> 2] === used) copyRecord(this.#known.words, record, all)
      }
    }
    copyKnown(1)
    for (const record of this.#made.records()) copyRecord(this.#made.words, record, all)
    copyKnown(0)
    encoded.set([MAGIC, all.slots.length, all.count])
    encoded.set(all.slots, HEADER_WORDS + all.end)
    return new Uint8Array(encoded.buffer, 0, encoded.BYTES_PER_ELEMENT * (HEADER_WORDS + all.end + all.slots.length))
  }
}

/** How many slots so many records have at most: a power of two. */
function slotsFor(count: number): number {
  let slots = FIRST_SLOTS
  while (slots < 2 * count) slots *= 2
  return slots
}

/** Adds a record of `words`, if there is room. */
function copyRecord(words: Int32Array, record: number, to: Records): void {
  const size = sizeOf(words, record)
  if (to.end + size > to.words.length) return
  to.words.set(words.subarray(record, record + size), to.end)
  to.push(size)
}

/** In words. */
function sizeOf(words: Int32Array, record: number): number {
  const sizes = words[record + SIZES]!
  const instructions = words[record + SHAPE]! >>> INSTRUCTIONS_SHIFT
  return RECORD_WORDS + (sizes & SIZE_MASK) + (sizes >>> CODE_SHIFT) + ((instructions + 1) >>> 1)
}

function decode(bytes: Uint8Array): Records {
  const aligned = bytes.byteOffset % Int32Array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice()
  const all = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2)
  const [magic, slotCount = 0, count = 0] = all
  const isWhole =
    magic === MAGIC && slotCount > 0 && (slotCount & (slotCount - 1)) === 0 && HEADER_WORDS + slotCount <= all.length
  if (!isWhole) throw new LiftedCodeError('it is no lifted code')
  const words = all.subarray(HEADER_WORDS, -slotCount)
  return new Records(words, all.subarray(-slotCount), words.length, count)
}

function kindOf({ relative, bigEndian, cut }: BlockKey): number {
  return (relative ? 1 : 0) | (bigEndian ? 2 : 0) | (cut << CUT_SHIFT)
}

function hash(pc: number, flags: number, word: number): number {
  const mixed = Math.imul(pc ^ Math.imul(word, 0x9e37_79b1) ^ flags, 0x85eb_ca6b)
  return mixed ^ (mixed >>> 15)
}
