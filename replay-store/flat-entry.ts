/**
 * One entry of the journal laid flat in numbers: what the canonical bytes and the columns of a segment are both made
 * from, and what a replay compares. Whoever reads or writes a journal has one and fills it again for each entry, so that
 * an entry costs no allocation.
 */
import assert from 'node:assert/strict'
import { type AccessSize, type Message, NEVER, type Payload } from '../bus/mod.ts'
import { type Entry, FIELDS_AT, type FieldType, KIND, KINDS, MODES, type NodeTable, REASONS } from './codec.ts'
import {
  RECORD_DST,
  RECORD_FIELD_COUNT,
  RECORD_FIELDS,
  RECORD_ICOUNT,
  RECORD_KIND,
  RECORD_LENGTH,
  RECORD_SRC,
  RECORD_VT,
} from './entry-record.ts'

// What is imported V8 reads anew wherever it is used, and looks at what it is; a constant of the file's own it knows.
const VT = RECORD_VT
const ICOUNT = RECORD_ICOUNT
const SRC = RECORD_SRC
const DST = RECORD_DST
const KIND_AT = RECORD_KIND
const FIELD_COUNT = RECORD_FIELD_COUNT
const FIELDS = RECORD_FIELDS
const LENGTH = RECORD_LENGTH
const READ = KIND.read
const WRITE = KIND.write
const DATA = KIND.data

const NO_BYTES = new Uint8Array(0)

/** By kind: which of its fields is of this type, or -1. A kind has no more than one. */
const fieldOf = (wanted: FieldType) => KINDS.map(({ fields }) => fields.findIndex(({ type }) => type === wanted))
export const BYTES_FIELD: readonly number[] = fieldOf('bytes')
export const TEXT_FIELD: readonly number[] = fieldOf('text')
/** By kind: whether it has either. */
export const HAS_DATA: readonly boolean[] = KINDS.map((_, kind) => BYTES_FIELD[kind]! >= 0 || TEXT_FIELD[kind]! >= 0)

export class FlatEntry {
  /** All of it that is numbers, from `at` on, as entry-record.ts says: fields that are none are 0. Nothing is checked here. */
  record: Float64Array
  at = 0
  /** The kind's one field of bytes, where it has one; not copied. */
  bytes: Uint8Array = NO_BYTES
  /** The kind's one field of text, where it has one. */
  text = ''

  constructor(record: Float64Array = new Float64Array(LENGTH)) {
    this.record = record
  }

  get vt(): number {
    return this.record[this.at + VT]!
  }

  get icount(): number {
    return this.record[this.at + ICOUNT]!
  }

  /** An index into the node table. */
  get src(): number {
    return this.record[this.at + SRC]!
  }

  get dst(): number {
    return this.record[this.at + DST]!
  }

  /** An index into `KINDS`. */
  get kind(): number {
    return this.record[this.at + KIND_AT]!
  }

  /** How many of the kind's fields it has: an optional one may be absent at the end. */
  get fieldCount(): number {
    return this.record[this.at + FIELD_COUNT]!
  }

  /** Field `i` in the kind's order, where it is a number; a time of `NEVER` is `NEVER`. */
  field(i: number): number {
    return this.record[this.at + FIELDS + i]!
  }

  setField(i: number, value: number): void {
    this.record[this.at + FIELDS + i] = value
  }

  /** Sets all but kind and fields. */
  setHead(vt: number, icount: number, src: number, dst: number): void {
    const { record, at } = this
    record[at + VT] = vt
    record[at + ICOUNT] = icount
    record[at + SRC] = src
    record[at + DST] = dst
  }

  /**
   * Takes the place of what it was. A node that is not in the table is an assertion. Returns whether it has anything that is no
   * number.
   */
  set(message: Message, nodes: NodeTable): boolean {
    this.setHead(message.vt, message.icount, nodes.index(message.src), nodes.index(message.dst))
    return this.setPayload(message.payload)
  }

  /** Takes kind and fields from a payload. Returns as `set` does. */
  setPayload(p: Payload): boolean {
    switch (p.kind) {
      case 'read':
        this.#fields(READ, p.index === undefined ? 3 : 4, p.region, p.offset, p.size, p.index)
        return false
      case 'write':
        this.#fields(WRITE, p.index === undefined ? 4 : 5, p.region, p.offset, p.size, p.value, p.index)
        return false
      case 'data':
        this.#fields(DATA, 2, p.value, p.validUntil)
        return false
      default:
        this.#setOther(p)
        return HAS_DATA[this.kind]!
    }
  }

  /** On its own, as V8 would throw away what it made of accesses each time that one of these comes for the first time. */
  #setOther(p: Exclude<Payload, { kind: 'read' | 'write' | 'data' }>): void {
    switch (p.kind) {
      case 'reset':
      case 'event':
        this.#fields(KIND[p.kind], 0)
        break
      case 'line':
        this.#fields(KIND.line, 2, p.wire, p.level)
        break
      case 'memory':
        this.bytes = p.bytes
        this.#fields(KIND.memory, p.length === undefined ? 1 : 2, 0, p.length)
        break
      case 'input':
      case 'output':
        this.bytes = p.bytes
        this.#fields(KIND[p.kind], 1)
        break
      case 'timer':
        this.#fields(KIND.timer, 1, p.due)
        break
      case 'dmaRead':
        this.#fields(KIND.dmaRead, 3, p.target, p.address, p.length)
        break
      case 'dmaWrite':
        this.bytes = p.bytes
        this.#fields(KIND.dmaWrite, 3, p.target, p.address)
        break
      case 'dmaCopy':
        this.#fields(KIND.dmaCopy, 5, p.from, p.to, p.fromAddress, p.toAddress, p.length)
        break
      case 'map':
        this.text = p.space
        this.#fields(KIND.map, 6, p.region, 0, p.base, p.length, p.offset, MODES.indexOf(p.mode))
        break
      case 'grid':
        this.#fields(KIND.grid, 1, p.hash)
        break
      case 'segment':
        this.#fields(KIND.segment, 2, p.hashLow, p.hashHigh)
        break
      case 'stop':
        this.#fields(KIND.stop, 1, REASONS.indexOf(p.reason))
        break
      default:
        assert.fail('a kind has no form')
    }
  }

  /** Becomes the same as `other`, whose bytes are not copied. */
  copy(other: FlatEntry): void {
    for (let i = 0; i < LENGTH; i++) this.record[this.at + i] = other.record[other.at + i]!
    this.bytes = other.bytes
    this.text = other.text
  }

  /** Takes an entry that `entryFault` found nothing wrong with. Its bytes are not copied. */
  setEntry(entry: Entry): void {
    const [vt, icount, src, dst, kind] = entry as number[]
    this.setHead(vt!, icount!, src!, dst!)
    this.setFields(kind!, entry.slice(FIELDS_AT))
  }

  /** Takes kind and fields of an entry, these in the kind's order. */
  setFields(kind: number, fields: Entry): void {
    this.record[this.at + KIND_AT] = kind
    this.record[this.at + FIELD_COUNT] = fields.length
    for (const [i, value] of fields.entries()) {
      if (value instanceof Uint8Array) this.bytes = value
      else if (typeof value === 'string') this.text = value
      this.setField(i, value === null ? NEVER : typeof value === 'number' ? value : 0)
    }
  }

  /** Whether both are the same entry. */
  equals(other: FlatEntry): boolean {
    const { at, kind, record } = this
    const length = FIELDS + this.fieldCount
    // Where one has more fields, they differ in the number of fields.
    for (let i = 0; i < length; i++) if (record[at + i] !== other.record[other.at + i]) return false
    if (BYTES_FIELD[kind]! >= 0 && Buffer.compare(this.bytes, other.bytes) !== 0) return false
    return TEXT_FIELD[kind]! < 0 || this.text === other.text
  }

  /** The message of a well-formed entry. Its bytes are a copy. */
  message(nodes: NodeTable): Message {
    const { vt, icount } = this
    return { vt, icount, src: nodes.names[this.src]!, dst: nodes.names[this.dst]!, payload: this.#payload() }
  }

  #payload(): Payload {
    const { kind } = KINDS[this.kind]!
    const a = this.field(0)
    const b = this.field(1)
    const c = this.field(2)
    const d = this.field(3)
    const e = this.field(4)
    const f = this.field(5)
    switch (kind) {
      case 'reset':
      case 'event':
        return { kind }
      case 'read': {
        const read = { kind, region: a, offset: b, size: c as AccessSize }
        return this.fieldCount === 3 ? read : { ...read, index: d }
      }
      case 'write': {
        const write = { kind, region: a, offset: b, size: c as AccessSize, value: d }
        return this.fieldCount === 4 ? write : { ...write, index: e }
      }
      case 'line':
        return { kind, wire: a, level: b as 0 | 1 }
      case 'memory': {
        const memory = { kind, bytes: new Uint8Array(this.bytes) }
        return this.fieldCount === 1 ? memory : { ...memory, length: b }
      }
      case 'input':
      case 'output':
        return { kind, bytes: new Uint8Array(this.bytes) }
      case 'data':
        return { kind, value: a, validUntil: b }
      case 'timer':
        return { kind, due: a }
      case 'dmaRead':
        return { kind, target: a, address: b, length: c }
      case 'dmaWrite':
        return { kind, target: a, address: b, bytes: new Uint8Array(this.bytes) }
      case 'dmaCopy':
        return { kind, from: a, to: b, fromAddress: c, toAddress: d, length: e }
      case 'map':
        return { kind, region: a, space: this.text, base: c, length: d, offset: e, mode: MODES[f]! }
      case 'grid':
        return { kind, hash: a }
      case 'segment':
        return { kind, hashLow: a, hashHigh: b }
      case 'stop':
        return { kind, reason: REASONS[a]! }
    }
  }

  #fields(kind: number, count: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): void {
    const { record, at } = this
    record[at + KIND_AT] = kind
    record[at + FIELD_COUNT] = count
    record[at + FIELDS] = a
    record[at + FIELDS + 1] = b
    record[at + FIELDS + 2] = c
    record[at + FIELDS + 3] = d
    record[at + FIELDS + 4] = e
    record[at + FIELDS + 5] = f
  }
}

/** The message of an entry that `entryFault` found nothing wrong with. Its bytes are copies. */
export function toMessage(entry: Entry, nodes: NodeTable): Message {
  const flat = new FlatEntry()
  flat.setEntry(entry)
  return flat.message(nodes)
}
