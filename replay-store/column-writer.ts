/**
 * Puts the entries of one segment into columns (columns.ts says which), one by one as they come.
 *
 * The row of an entry's shape is found by a hash of what the shape consists of: source, destination, kind, and for each
 * field its mark. Rows are told apart by comparing all of that.
 */
import assert from 'node:assert/strict'
import { Packr } from 'msgpackr/pack'
import { NEVER } from '../bus/mod.ts'
import { ByteWriter } from './bytes.ts'
import { type FieldValue, KINDS } from './codec.ts'
import { type ColumnBase, GRID, IN_COLUMN, inColumn, ZERO_TIME } from './columns.ts'
import { type FlatEntry, MAX_FIELDS } from './flat-entry.ts'

/** Where a field goes: into the shape (`SHAPE`, of text `SPACE`), or how it is written into its column. */
const SHAPE = 0
const SPACE = 1
const COUNT = 2
const HASH = 3
const TIME = 4
const BYTES = 5

/** By kind and field, in steps of `MAX_FIELDS`. */
const PLACE = new Uint8Array(KINDS.length * MAX_FIELDS)
for (const [kind, { fields }] of KINDS.entries()) {
  for (const [i, { type, column }] of fields.entries()) {
    const places = { shape: type === 'text' ? SPACE : SHAPE, count: COUNT, hash: HASH, time: TIME, bytes: BYTES }
    PLACE[kind * MAX_FIELDS + i] = places[column]
  }
}

/** The mark of a time of `NEVER`, which is nil in a shape: one that is neither `IN_COLUMN` nor `ZERO_TIME`. */
const NEVER_MARK = 2

/** One row of the dictionary, with the columns of its entries. */
interface Row {
  id: number
  hash: number
  src: number
  dst: number
  kind: number
  /** One for each of its fields: the value where it goes into the shape (a text's number), or what it is instead. */
  marks: readonly number[]
  shape: FieldValue[]
  columns: readonly Column[]
}

interface Column {
  /** The number of the field. */
  field: number
  place: number
  writer: ByteWriter
}

const FIRST_SLOTS = 64
/** Of a column that many entries have: one byte or two each. */
const COMMON_BYTES = 8192
/** No number that says how long a column is takes more. */
const LENGTH_BYTES = 8

export class ColumnWriter {
  readonly #nsPerInstruction: number
  readonly #rows: Row[] = []
  /** The rows by hash, open addressing: a power of two, at least half of it free. */
  #slots: (Row | undefined)[] = new Array(FIRST_SLOTS).fill(undefined)
  /** The number of each text of a shape. */
  readonly #texts = new Map<string, number>()
  /** Of the entry that is appended. */
  readonly #marks = new Float64Array(MAX_FIELDS)
  readonly #shapeIds = new ByteWriter(COMMON_BYTES)
  readonly #gridIcounts = new ByteWriter(COMMON_BYTES)
  readonly #otherIcounts = new ByteWriter(COMMON_BYTES)
  readonly #idles = new ByteWriter(COMMON_BYTES)
  #gridIcount: number
  #otherIcount: number
  #idleNs: number

  constructor({ nsPerInstruction, firstIcount, firstVt }: ColumnBase) {
    this.#nsPerInstruction = nsPerInstruction
    this.#gridIcount = firstIcount
    this.#otherIcount = firstIcount
    this.#idleNs = firstVt - firstIcount * nsPerInstruction
  }

  append(entry: FlatEntry): void {
    const { vt, icount } = entry
    const row = this.#rowOf(entry)
    this.#shapeIds.whole(row.id)
    if (entry.kind === GRID) {
      this.#gridIcounts.whole(icount - this.#gridIcount)
      this.#gridIcount = icount
    } else {
      this.#otherIcounts.whole(icount - this.#otherIcount)
      this.#otherIcount = icount
    }
    const idleNs = vt - icount * this.#nsPerInstruction
    this.#idles.signed(idleNs - this.#idleNs)
    this.#idleNs = idleNs
    const { columns } = row
    for (let i = 0; i < columns.length; i++) writeField(columns[i]!, entry)
  }

  /** The columns of all entries so far, not compressed. Nothing may be appended after. */
  finish(): Uint8Array {
    const dictionary = new Packr({ useRecords: false }).pack(this.#rows.map(({ shape }) => shape))
    const writers = [this.#shapeIds, this.#gridIcounts, this.#otherIcounts, this.#idles]
    for (const { columns } of this.#rows) writers.push(...columns.map(({ writer }) => writer))
    const streams = [dictionary, ...writers.map((writer) => writer.view())]
    const body = new ByteWriter(streams.reduce((sum, { length }) => sum + length + LENGTH_BYTES, 0))
    for (const stream of streams) {
      body.whole(stream.length)
      body.bytes(stream)
    }
    return body.view()
  }

  /** The row of the entry's shape, a new one if it is the first of its shape. */
  #rowOf(entry: FlatEntry): Row {
    const hash = this.#mark(entry)
    const slots = this.#slots
    for (let slot = hash; ; slot++) {
      const row = slots[slot & (slots.length - 1)]
      if (row === undefined) return this.#newRow(entry, hash)
      if (row.hash === hash && this.#isOf(row, entry)) return row
    }
  }

  /** Sets the entry's marks; returns their hash. */
  #mark({ src, dst, kind, fieldCount, numbers, text }: FlatEntry): number {
    const marks = this.#marks
    let hash = (src << 16) ^ (dst << 8) ^ kind
    for (let i = 0; i < fieldCount; i++) {
      const value = numbers[i]!
      const place = PLACE[kind * MAX_FIELDS + i]!
      let mark: number = IN_COLUMN
      if (place === SHAPE) mark = value
      else if (place === TIME) mark = value === NEVER ? NEVER_MARK : value === 0 ? ZERO_TIME : IN_COLUMN
      else if (place === SPACE) mark = this.#textNumber(text)
      marks[i] = mark
      hash = Math.imul(hash ^ mark, 0x9e3779b1)
    }
    return hash ^ (hash >>> 15)
  }

  #textNumber(text: string): number {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    this.#texts.set(text, this.#texts.size)
    return this.#texts.size - 1
  }

  #isOf(row: Row, { src, dst, kind, fieldCount }: FlatEntry): boolean {
    const { marks } = row
    if (row.kind !== kind || row.src !== src || row.dst !== dst || marks.length !== fieldCount) return false
    for (let i = 0; i < fieldCount; i++) if (marks[i] !== this.#marks[i]) return false
    return true
  }

  #newRow({ src, dst, kind, fieldCount, text }: FlatEntry, hash: number): Row {
    const { fields } = KINDS[kind]!
    const marks = [...this.#marks.subarray(0, fieldCount)]
    const values = marks.map((mark, i): FieldValue => {
      const place = PLACE[kind * MAX_FIELDS + i]
      if (place === SPACE) return text
      return place === TIME && mark === NEVER_MARK ? null : mark
    })
    const columns = values.flatMap((value, field): Column[] => {
      if (!inColumn(fields[field]!, value)) return []
      return [{ field, place: PLACE[kind * MAX_FIELDS + field]!, writer: new ByteWriter() }]
    })
    const row = { id: this.#rows.length, hash, src, dst, kind, marks, shape: [src, dst, kind, ...values], columns }
    this.#rows.push(row)
    if (2 * this.#rows.length <= this.#slots.length) this.#place(row)
    else {
      this.#slots = new Array(2 * this.#slots.length).fill(undefined)
      for (const each of this.#rows) this.#place(each)
    }
    return row
  }

  #place(row: Row): void {
    const mask = this.#slots.length - 1
    let slot = row.hash & mask
    while (this.#slots[slot] !== undefined) slot = (slot + 1) & mask
    this.#slots[slot] = row
  }
}

function writeField({ field, place, writer }: Column, { vt, numbers, bytes }: FlatEntry): void {
  switch (place) {
    case COUNT:
      writer.whole(numbers[field]!)
      break
    case HASH:
      writer.u32(numbers[field]!)
      break
    case TIME:
      writer.signed(numbers[field]! - vt)
      break
    case BYTES:
      writer.whole(bytes.length)
      writer.bytes(bytes)
      break
    default:
      assert.fail('a field of the shape has no column')
  }
}
