/**
 * Writes the canonical bytes of entries (codec.ts says what they are), one behind the other into one buffer.
 */
import assert from 'node:assert/strict'
import type { Message } from '../bus/mod.ts'
import { NEVER } from '../bus/mod.ts'
import {
  FIELDS_AT,
  type FieldType,
  fieldFault,
  ICOUNT_FAULT,
  isWhole,
  KINDS,
  MODES,
  type NodeTable,
  REASONS,
  VT_FAULT,
} from './codec.ts'
import { FlatEntry, MAX_FIELDS } from './flat-entry.ts'

/** How a field is checked and written. `SMALL`: whole, from 0 to the field's greatest. */
const SMALL = 0
const SIZE = 1
const WHOLE = 2
const TIME = 3
const TARGET = 4
const BYTES = 5
const TEXT = 6

const U32_MAX = 2 ** 32 - 1

const FORMS: Readonly<Record<FieldType, readonly [form: number, greatest: number]>> = {
  u32: [SMALL, U32_MAX],
  bit: [SMALL, 1],
  mode: [SMALL, MODES.length - 1],
  reason: [SMALL, REASONS.length - 1],
  size: [SIZE, 4],
  whole: [WHOLE, Number.MAX_SAFE_INTEGER],
  time: [TIME, NEVER],
  target: [TARGET, U32_MAX],
  bytes: [BYTES, U32_MAX],
  text: [TEXT, U32_MAX],
}

/** By kind and field, in steps of `MAX_FIELDS`. */
const FORM = new Uint8Array(KINDS.length * MAX_FIELDS)
const GREATEST = new Float64Array(KINDS.length * MAX_FIELDS)
for (const [kind, { fields }] of KINDS.entries()) {
  for (const [i, { type }] of fields.entries()) {
    const [form, greatest] = FORMS[type]
    FORM[kind * MAX_FIELDS + i] = form
    GREATEST[kind * MAX_FIELDS + i] = greatest
  }
}

const NIL = 0xc0
const ARRAY = 0x90
/** No number takes more. */
const NUMBER_BYTES = 9
/** No entry takes more, but for its bytes and text. */
const ENTRY_BYTES = 1 + NUMBER_BYTES * (FIELDS_AT + MAX_FIELDS)
const FIRST_BYTES = 4096

/** Turns messages into canonical bytes. One encoder serves one journal: it asserts that entries come in order. */
export class EntryEncoder {
  readonly nodes: NodeTable
  /** The entry that was encoded last. */
  readonly entry = new FlatEntry()
  #buffer: Buffer = Buffer.alloc(FIRST_BYTES)
  #length = 0
  #vt = 0
  #icount = 0

  constructor(nodes: NodeTable) {
    this.nodes = nodes
  }

  /** Canonical bytes that wait to be taken. */
  get length(): number {
    return this.#length
  }

  /** The first `length` of the bytes that wait: a view, good until the next call of `encode` or `drop`. */
  view(length = this.#length): Uint8Array {
    return this.#buffer.subarray(0, length)
  }

  /** Forgets the first `length` of the bytes that wait. */
  drop(length: number): void {
    this.#buffer.copyWithin(0, length, this.#length)
    this.#length -= length
  }

  /**
   * Puts the canonical bytes of `message`, the next of the journal, behind those that wait. An ill-formed message is a
   * broken node: an assertion.
   */
  encode(message: Message): void {
    this.entry.set(message, this.nodes)
    this.encodeEntry(this.entry)
  }

  /** The same for an entry that is laid flat already. */
  encodeEntry(entry: FlatEntry): void {
    const { vt, icount, fieldCount, kind } = entry
    if (!isWhole(vt)) assert.fail(VT_FAULT)
    if (!isWhole(icount)) assert.fail(ICOUNT_FAULT)
    if (vt < this.#vt) assert.fail('entries of a journal are ordered by vt')
    if (icount < this.#icount) assert.fail('icount does not run backwards')
    this.#reserve(ENTRY_BYTES)
    const before = this.#length
    const buffer = this.#buffer
    buffer[before] = ARRAY | (FIELDS_AT + fieldCount)
    let at = writeWhole(buffer, before + 1, vt)
    at = writeWhole(buffer, at, icount)
    at = writeWhole(buffer, at, entry.src)
    at = writeWhole(buffer, at, entry.dst)
    buffer[at++] = kind
    for (let i = 0; i < fieldCount; i++) at = this.#writeField(at, entry, i)
    this.#length = at
    this.#vt = vt
    this.#icount = icount
  }

  /** Writes field `i` of the entry at `at`; returns where the next goes. Room for all numbers there is already. */
  #writeField(at: number, entry: FlatEntry, i: number): number {
    const value = entry.numbers[i]!
    const form = FORM[entry.kind * MAX_FIELDS + i]!
    switch (form) {
      case SMALL:
      case SIZE:
        if (value >>> 0 !== value || value > GREATEST[entry.kind * MAX_FIELDS + i]!) failField(entry, i)
        if (form === SIZE && (value === 0 || value === 3)) failField(entry, i)
        return writeWhole(this.#buffer, at, value)
      case TIME:
        if (value !== NEVER) return this.#writeChecked(at, entry, i, value)
        this.#buffer[at] = NIL
        return at + 1
      case WHOLE:
        return this.#writeChecked(at, entry, i, value)
      case TARGET:
        if (value !== -1) return value <= U32_MAX ? this.#writeChecked(at, entry, i, value) : failField(entry, i)
        this.#buffer[at] = 0xff
        return at + 1
      case BYTES:
        if (!(entry.bytes instanceof Uint8Array)) failField(entry, i)
        return this.#writeBytes(at, entry.bytes)
      default:
        if (typeof entry.text !== 'string') failField(entry, i)
        return this.#writeText(at, entry.text)
    }
  }

  #writeChecked(at: number, entry: FlatEntry, i: number, value: number): number {
    if (!isWhole(value)) failField(entry, i)
    return writeWhole(this.#buffer, at, value)
  }

  #writeBytes(at: number, bytes: Uint8Array): number {
    const { length } = bytes
    this.#reserve(at - this.#length + length + ENTRY_BYTES)
    const next = writeHead(this.#buffer, at, length, 0xc4)
    this.#buffer.set(bytes, next)
    return next + length
  }

  #writeText(at: number, text: string): number {
    const length = Buffer.byteLength(text)
    this.#reserve(at - this.#length + length + ENTRY_BYTES)
    let next = at + 1
    if (length < 0x20) this.#buffer[at] = 0xa0 | length
    else next = writeHead(this.#buffer, at, length, 0xd9)
    return next + this.#buffer.write(text, next)
  }

  /** Makes room for `more` bytes. Where an entry is under way, those of it that are written stay. */
  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#buffer.length) return
    const grown = Buffer.alloc(Math.max(2 * this.#buffer.length, needed))
    grown.set(this.#buffer)
    this.#buffer = grown
  }
}

/** Writes a whole number in msgpack's shortest form, those beyond 32 bits as msgpackr does; returns where the next goes. */
function writeWhole(buffer: Buffer, at: number, value: number): number {
  if (value < 0x80) {
    buffer[at] = value
    return at + 1
  }
  if (value > U32_MAX) {
    buffer[at] = 0xcb
    return buffer.writeDoubleBE(value, at + 1)
  }
  return writeHead(buffer, at, value, 0xcc)
}

/** Writes `value`, of 32 bits, behind `code`, or `code` + 1 or 2 where it takes two or four bytes. */
function writeHead(buffer: Buffer, at: number, value: number, code: number): number {
  if (value < 0x100) {
    buffer[at] = code
    buffer[at + 1] = value
    return at + 2
  }
  if (value < 0x10000) {
    buffer[at] = code + 1
    buffer[at + 1] = value >>> 8
    buffer[at + 2] = value
    return at + 3
  }
  buffer[at] = code + 2
  buffer[at + 1] = value >>> 24
  buffer[at + 2] = value >>> 16
  buffer[at + 3] = value >>> 8
  buffer[at + 4] = value
  return at + 5
}

function failField({ kind: number }: FlatEntry, i: number): never {
  const { kind, fields } = KINDS[number]!
  return assert.fail(fieldFault(kind, fields[i]!))
}
