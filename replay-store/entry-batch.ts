/**
 * Entries on their way to another thread, laid one behind the other in memory that both share (entry-record.ts says how).
 */
import { BATCH_HAS_DATA, RECORD_FIELD_COUNT, RECORD_FIELDS, RECORD_LENGTH } from './entry-record.ts'
import { FlatEntry } from './flat-entry.ts'

// As in flat-entry.ts.
const FIELDS = RECORD_FIELDS
const LENGTH = RECORD_LENGTH
const DOUBLE_BYTES = Float64Array.BYTES_PER_ELEMENT

export class EntryBatch {
  /** Where the next entry is laid before it is added: there is room for one without data. */
  readonly entry: FlatEntry
  readonly #numbers: Float64Array<SharedArrayBuffer>

  /** With room for one entry with `dataBytes` bytes of data, or for more that have less. */
  constructor(dataBytes: number) {
    const doubles = 2 * LENGTH + 1 + doublesOf(dataBytes)
    this.#numbers = new Float64Array(new SharedArrayBuffer(DOUBLE_BYTES * doubles))
    this.entry = new FlatEntry(this.#numbers)
  }

  get isEmpty(): boolean {
    return this.entry.at === 0
  }

  /** What it has: a view. */
  get bytes(): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.#numbers.buffer, 0, DOUBLE_BYTES * this.entry.at)
  }

  /** Adds `entry`, which has no data, behind the others. Returns whether there is room for another. */
  add(): boolean {
    const { entry } = this
    // What was read from the record is a double to V8, and so were all places after it.
    entry.at = (entry.at + FIELDS + entry.fieldCount) | 0
    return entry.at + LENGTH <= this.#numbers.length
  }

  /** Whether there is room for the data of `entry`. */
  fits(data: Uint8Array): boolean {
    const doubles = LENGTH + 1 + doublesOf(data.length)
    return this.entry.at + doubles + LENGTH <= this.#numbers.length
  }

  /** Adds `entry`, whose data this is and fits. A text is in its field by its number. */
  addWithData(data: Uint8Array): void {
    const { entry } = this
    const lengthAt = entry.at + FIELDS + entry.fieldCount
    this.#numbers[entry.at + RECORD_FIELD_COUNT] = entry.fieldCount + BATCH_HAS_DATA
    this.#numbers[lengthAt] = data.length
    new Uint8Array(this.#numbers.buffer).set(data, DOUBLE_BYTES * (lengthAt + 1))
    entry.at = (lengthAt + 1 + doublesOf(data.length)) | 0
  }

  /** Forgets its entries. */
  clear(): void {
    this.entry.at = 0
  }
}

/** How many doubles hold so many bytes. */
function doublesOf(bytes: number): number {
  return Math.ceil(bytes / DOUBLE_BYTES)
}
