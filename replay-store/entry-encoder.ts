/**
 * Writes the canonical bytes of entries (codec.ts says what they are), one behind the other into one buffer. The work is done in
 * `assembly/entry-encoder.ts`.
 */
import assert from 'node:assert/strict'
import type { Message } from '../bus/mod.ts'
import { type FieldType, fieldFault, ICOUNT_FAULT, KINDS, MODES, type NodeTable, REASONS, VT_FAULT } from './codec.ts'
import {
  FAULT_FIELD,
  FAULT_ICOUNT,
  FAULT_ICOUNT_ORDER,
  FAULT_VT,
  FAULT_VT_ORDER,
  FORM_BYTES,
  FORM_SIZE,
  FORM_SMALL,
  FORM_TARGET,
  FORM_TEXT,
  FORM_TIME,
  FORM_WHOLE,
  MAX_FIELDS,
} from './entry-record.ts'
import { BYTES_FIELD, type FlatEntry, HAS_DATA, TEXT_FIELD } from './flat-entry.ts'
import { JournalMemory } from './journal-memory.ts'

/** How a field is written, and the greatest number that a small one may be. */
const FORMS: Readonly<Record<FieldType, readonly [form: number, greatest?: number]>> = {
  u32: [FORM_SMALL, 2 ** 32 - 1],
  bit: [FORM_SMALL, 1],
  mode: [FORM_SMALL, MODES.length - 1],
  reason: [FORM_SMALL, REASONS.length - 1],
  size: [FORM_SIZE],
  whole: [FORM_WHOLE],
  time: [FORM_TIME],
  target: [FORM_TARGET],
  bytes: [FORM_BYTES],
  text: [FORM_TEXT],
}

/** What is wrong with an entry, but for its fields. */
const FAULTS = new Map([
  [FAULT_VT, VT_FAULT],
  [FAULT_ICOUNT, ICOUNT_FAULT],
  [FAULT_VT_ORDER, 'entries of a journal are ordered by vt'],
  [FAULT_ICOUNT_ORDER, 'icount does not run backwards'],
])

/** Turns messages into canonical bytes. One encoder serves one journal: it asserts that entries come in order. */
export class EntryEncoder {
  readonly nodes: NodeTable
  /** Where it has the entry that was encoded last, for a `SegmentWriter`. */
  readonly memory = new JournalMemory()
  #length = 0

  constructor(nodes: NodeTable) {
    this.nodes = nodes
    const { forms, greatest, memory } = this.memory.exports
    const view = new DataView(memory.buffer)
    for (const [kind, { fields }] of KINDS.entries()) {
      for (const [i, { type }] of fields.entries()) {
        const place = MAX_FIELDS * kind + i
        const [form, most = 0] = FORMS[type]
        view.setUint8(forms.value + place, form)
        view.setFloat64(greatest.value + 8 * place, most, true)
      }
    }
  }

  /** Canonical bytes that wait to be taken. */
  get length(): number {
    return this.#length
  }

  /** The first `length` of the bytes that wait: a view, good until the next call of `encode` or `drop`. */
  view(length = this.#length): Uint8Array {
    const at = this.memory.exports.bytesAt()
    return this.memory.bytes.subarray(at, at + length)
  }

  /** Forgets the first `length` of the bytes that wait. */
  drop(length: number): void {
    this.memory.exports.drop(length)
    this.#length -= length
  }

  /**
   * Puts the canonical bytes of `message`, the next of the journal, behind those that wait. An ill-formed message is a
   * broken node: an assertion.
   */
  encode(message: Message): void {
    const { entry, exports } = this.memory
    entry.set(message, this.nodes)
    this.#encoded(entry, exports.encode(this.#setData(entry)))
  }

  /** Where an entry is laid for `add`. */
  get entry(): FlatEntry {
    return this.memory.entry
  }

  /** As `encode`, for what `entry` is now, and appends it to the columns that a `ColumnWriter` has of `memory`. */
  add(): void {
    const { entry, exports } = this.memory
    this.#encoded(entry, exports.add(this.#setData(entry)))
  }

  /** Takes a batch (entry-batch.ts) for `addSome`, in place of the one before. Its texts have their numbers in `memory`. */
  setBatch(batch: Uint8Array): void {
    const at = this.memory.exports.batchFor(batch.length)
    this.memory.bytes.set(batch, at)
  }

  /** Whether all entries of the batch were added. */
  get isBatchDone(): boolean {
    return this.memory.exports.isBatchDone() !== 0
  }

  /**
   * As `add`, for entries of the batch up to the first of kind `lastKind`, or with which more than `full` bytes wait. The last of them
   * is `entry` then, but for its bytes and text. Returns how many, and the bytes that waited before the last.
   */
  addSome(full: number, lastKind: number): { count: number; before: number } {
    const { entry, exports } = this.memory
    const count = exports.addSome(full, lastKind)
    this.#encoded(entry, count < 0 ? exports.batchFault() : exports.waiting())
    return { count, before: exports.waitedBefore() }
  }

  /** As `encode`, for an entry that is laid flat already. */
  encodeEntry(from: FlatEntry): void {
    const { entry, exports } = this.memory
    entry.copy(from)
    this.#encoded(entry, exports.encode(this.#setData(entry)))
  }

  #encoded(entry: FlatEntry, length: number): void {
    this.memory.look()
    if (length < 0) fail(entry, length)
    this.#length = length
  }

  /** Puts an entry's bytes or text into the memory; returns how many bytes those are. */
  #setData(entry: FlatEntry): number {
    const { kind, bytes, text } = entry
    if (!HAS_DATA[kind]) return 0
    const bytesField = BYTES_FIELD[kind]!
    if (bytesField < 0) {
      if (typeof text !== 'string') fail(entry, FAULT_FIELD - TEXT_FIELD[kind]!)
      entry.setField(TEXT_FIELD[kind]!, this.memory.textNumber(text))
      return this.memory.setData(Buffer.from(text))
    }
    if (!(bytes instanceof Uint8Array)) fail(entry, FAULT_FIELD - bytesField)
    return this.memory.setData(bytes)
  }
}

function fail(entry: FlatEntry, fault: number): never {
  const { kind, fields } = KINDS[entry.kind]!
  return assert.fail(FAULTS.get(fault) ?? fieldFault(kind, fields[FAULT_FIELD - fault]!))
}
