/**
 * One entry of the journal laid flat in numbers: what the canonical bytes and the columns of a segment are both made
 * from, and what a replay compares. Whoever reads or writes a journal has one and fills it again for each entry, so that
 * an entry costs no allocation.
 */
import assert from 'node:assert/strict'
import { type AccessSize, type Message, NEVER, type Payload } from '../bus/mod.ts'
import {
  DST_AT,
  type Entry,
  FIELDS_AT,
  type FieldType,
  ICOUNT_AT,
  KIND,
  KIND_AT,
  KINDS,
  MODES,
  type NodeTable,
  REASONS,
  SRC_AT,
  VT_AT,
} from './codec.ts'

/** The most fields that a kind has. */
export const MAX_FIELDS = Math.max(...KINDS.map(({ fields }) => fields.length))

const NO_BYTES = new Uint8Array(0)

/** By kind: whether it has a field of this type. */
const kindsWith = (type: FieldType) => KINDS.map(({ fields }) => fields.some((field) => field.type === type))
const HAS_BYTES = kindsWith('bytes')
const HAS_TEXT = kindsWith('text')

export class FlatEntry {
  vt = 0
  icount = 0
  /** Indexes into the node table. */
  src = 0
  dst = 0
  /** An index into `KINDS`. */
  kind = 0
  /** How many of the kind's fields it has: an optional one may be absent at the end. */
  fieldCount = 0
  /** The fields in the kind's order, where they are numbers; a time of `NEVER` is `NEVER`. Nothing is checked here. */
  readonly numbers = new Float64Array(MAX_FIELDS)
  /** The kind's one field of bytes, where it has one; not copied. */
  bytes: Uint8Array = NO_BYTES
  /** The kind's one field of text, where it has one. */
  text = ''

  /** Takes the place of what it was. A node that is not in the table is an assertion. */
  set(message: Message, nodes: NodeTable): void {
    this.vt = message.vt
    this.icount = message.icount
    this.src = nodes.index(message.src)
    this.dst = nodes.index(message.dst)
    this.setPayload(message.payload)
  }

  /** Takes kind and fields from a payload. */
  setPayload(p: Payload): void {
    switch (p.kind) {
      case 'reset':
      case 'event':
        this.#fields(KIND[p.kind], 0)
        break
      case 'read':
        this.#fields(KIND.read, p.index === undefined ? 3 : 4, p.region, p.offset, p.size, p.index)
        break
      case 'write':
        this.#fields(KIND.write, p.index === undefined ? 4 : 5, p.region, p.offset, p.size, p.value, p.index)
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
      case 'data':
        this.#fields(KIND.data, 2, p.value, p.validUntil)
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

  /** Takes an entry that `entryFault` found nothing wrong with. Its bytes are not copied. */
  setEntry(entry: Entry): void {
    this.vt = entry[VT_AT] as number
    this.icount = entry[ICOUNT_AT] as number
    this.src = entry[SRC_AT] as number
    this.dst = entry[DST_AT] as number
    this.kind = entry[KIND_AT] as number
    this.setFields(entry.slice(FIELDS_AT))
  }

  /** Takes the fields of an entry, in the kind's order. */
  setFields(fields: Entry): void {
    this.fieldCount = fields.length
    for (const [i, value] of fields.entries()) {
      if (value instanceof Uint8Array) this.bytes = value
      else if (typeof value === 'string') this.text = value
      this.numbers[i] = value === null ? NEVER : typeof value === 'number' ? value : 0
    }
  }

  /** Whether both are the same entry. */
  equals(other: FlatEntry): boolean {
    const { kind, fieldCount, numbers } = this
    if (this.vt !== other.vt || this.icount !== other.icount) return false
    if (this.src !== other.src || this.dst !== other.dst) return false
    if (kind !== other.kind || fieldCount !== other.fieldCount) return false
    for (let i = 0; i < fieldCount; i++) if (numbers[i] !== other.numbers[i]) return false
    if (HAS_BYTES[kind] && Buffer.compare(this.bytes, other.bytes) !== 0) return false
    return !HAS_TEXT[kind] || this.text === other.text
  }

  /** The message of a well-formed entry. Its bytes are a copy. */
  message(nodes: NodeTable): Message {
    const { vt, icount } = this
    return { vt, icount, src: nodes.names[this.src]!, dst: nodes.names[this.dst]!, payload: this.#payload() }
  }

  #payload(): Payload {
    const { kind } = KINDS[this.kind]!
    const { numbers } = this
    const a = numbers[0]!
    const b = numbers[1]!
    const c = numbers[2]!
    const d = numbers[3]!
    const e = numbers[4]!
    const f = numbers[5]!
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
    const { numbers } = this
    this.kind = kind
    this.fieldCount = count
    numbers[0] = a
    numbers[1] = b
    numbers[2] = c
    numbers[3] = d
    numbers[4] = e
    numbers[5] = f
  }
}

/** The message of an entry that `entryFault` found nothing wrong with. Its bytes are copies. */
export function toMessage(entry: Entry, nodes: NodeTable): Message {
  const flat = new FlatEntry()
  flat.setEntry(entry)
  return flat.message(nodes)
}
