/**
 * The entries of one segment in columns: alike things side by side, so that zstd finds them alike.
 *
 *     body    := shapes, shapeIds, gridIcounts, otherIcounts, idles, then for each shape in order its columns
 *     each of these is a length (LEB128) and so many bytes
 *
 * - A shape is what entries of one sort agree in: source, destination, kind, and the fields that KINDS gives to shapes
 *   (region, offset, size, wire, level, ...). `shapes` is their msgpack dictionary, in order of first appearance;
 *   `shapeIds` holds one number an entry. A read of the UART's LSR is one number, whatever its time.
 * - icount is the difference from the entry before, with `grid` entries counted apart from all others: both are regular,
 *   their mixture is not.
 * - vt follows from icount and the idle time skipped; `idles` holds only the changes of that.
 * - What is left of an entry has a column for each field of each shape.
 */
import assert from 'node:assert/strict'
import { Packr } from 'msgpackr/pack'
import { NEVER } from '../bus/mod.ts'
import { ByteReader } from './bytes.ts'
import {
  entryFault,
  FIELDS_AT,
  type Field,
  type FieldValue,
  fieldFault,
  ICOUNT_FAULT,
  isWhole,
  KIND,
  KIND_AT,
  KINDS,
  SRC_AT,
  VT_FAULT,
} from './codec.ts'
import { EntryList, type EntryShape } from './entry-list.ts'
import { IN_COLUMN } from './entry-record.ts'
import { FlatEntry } from './flat-entry.ts'

/** What the columns of a segment start from; kept in its header. */
interface ColumnBase {
  nsPerInstruction: number
  firstIcount: number
  firstVt: number
}

export const GRID = KIND.grid

/** Whether a field with this value in its shape has a column. */
function inColumn(field: Field, inShape: FieldValue): boolean {
  return field.column !== 'shape' && inShape === IN_COLUMN
}

/** Where a kind's fields begin in a shape, which lacks vt and icount. */
const SHAPE_FIELDS_AT = FIELDS_AT - SRC_AT
const SHAPE_KIND_AT = KIND_AT - SRC_AT

const U32_MAX = 2 ** 32 - 1
const EMPTY = new Uint8Array(0)

/** A column of a shape as it is read. */
interface ColumnReader {
  field: Field
  /** The most that a count may be. */
  greatest: number
  reader: ByteReader
}

interface ShapeReader {
  kind: number
  columns: ColumnReader[]
}

/** The dictionary of a body: its rows, each well-formed where no column stands in for a value. */
function readDictionary(bytes: Uint8Array, nodeCount: number, fail: (what: string) => Error): FieldValue[][] {
  let rows: unknown
  try {
    rows = new Packr({ useRecords: false }).unpack(bytes)
  } catch (cause) {
    const error = fail('the dictionary of shapes is not msgpack')
    error.cause = cause
    throw error
  }
  if (!Array.isArray(rows)) throw fail('the dictionary of shapes is not an array')
  for (const row of rows) {
    const known = Array.isArray(row) && KINDS[row[SHAPE_KIND_AT]] !== undefined
    const fields = known ? KINDS[row[SHAPE_KIND_AT]]!.fields : []
    if (!known || row.length > SHAPE_FIELDS_AT + fields.length) {
      throw fail('the dictionary of shapes has a row that is none')
    }
    const stands = (value: FieldValue, place: number) => {
      const field = fields[place - SHAPE_FIELDS_AT]
      return field !== undefined && field.column === 'bytes' && inColumn(field, value) ? EMPTY : value
    }
    const fault = entryFault([0, 0, ...row.map(stands)], nodeCount)
    if (fault !== undefined) throw fail(fault)
  }
  return rows as FieldValue[][]
}

/** The shape for the list that is made: the values that are in its row, and which fields are not. */
function entryShape(row: readonly FieldValue[]): EntryShape {
  const { fields } = KINDS[row[SHAPE_KIND_AT] as number]!
  const values = row.slice(SHAPE_FIELDS_AT)
  const [src, dst, kind] = row as number[]
  const entry = new FlatEntry()
  entry.setHead(0, 0, src!, dst!)
  entry.setFields(kind!, values)
  const varying = fields.flatMap((field, place) => {
    const value = values[place]
    return value !== undefined && inColumn(field, value) ? [{ place, isBytes: field.column === 'bytes' }] : []
  })
  return { entry, varying }
}

/**
 * The entries that a `ColumnWriter` was given, checked one by one. `fail` makes the error to throw where the body is not
 * what it wrote. The list has views of `body`.
 */
export function decodeColumns(
  body: Uint8Array,
  entryCount: number,
  nodeCount: number,
  base: ColumnBase,
  fail: (what: string) => Error,
): EntryList {
  const reader = new ByteReader(body, fail)
  let columnBytes = 0
  const stream = () => {
    const bytes = reader.view(reader.whole())
    columnBytes += bytes.length
    return new ByteReader(bytes, fail)
  }
  const dictionary = readDictionary(reader.view(reader.whole()), nodeCount, fail)
  const shapes = dictionary.map(entryShape)
  const shapeIds = stream()
  // An entry has at least a byte there, a value one in its column: nothing larger is made for a count that is wrong.
  if (entryCount > columnBytes) throw fail('it ends too early')
  const gridIcounts = stream()
  const otherIcounts = stream()
  const idles = stream()
  columnBytes = 0
  const rows = shapes.map(({ entry: { kind }, varying }): ShapeReader => {
    const columns = varying.map(({ place }) => {
      const field = KINDS[kind]!.fields[place]!
      return { field, greatest: field.type === 'u32' ? U32_MAX : Number.MAX_SAFE_INTEGER, reader: stream() }
    })
    return { kind, columns }
  })
  if (!reader.atEnd) throw fail('bytes are left over after the last column')

  const list = new EntryList(shapes, entryCount, columnBytes)
  let gridIcount = base.firstIcount
  let otherIcount = base.firstIcount
  let idleNs = base.firstVt - base.firstIcount * base.nsPerInstruction
  for (let i = 0; i < entryCount; i++) {
    const id = shapeIds.whole()
    const row = rows[id]
    if (row === undefined) throw fail('an entry has a shape that is not in the dictionary')
    let icount: number
    if (row.kind === GRID) icount = gridIcount += gridIcounts.whole()
    else icount = otherIcount += otherIcounts.whole()
    idleNs += idles.signed()
    const vt = icount * base.nsPerInstruction + idleNs
    if (!isWhole(vt)) throw fail(VT_FAULT)
    if (!isWhole(icount)) throw fail(ICOUNT_FAULT)
    list.append(vt, icount, id)
    const { columns } = row
    for (let c = 0; c < columns.length; c++) readValue(columns[c]!, row.kind, vt, list, fail)
  }
  const all = [
    shapeIds,
    gridIcounts,
    otherIcounts,
    idles,
    ...rows.flatMap(({ columns }) => columns.map((c) => c.reader)),
  ]
  if (!all.every((column) => column.atEnd)) throw fail('a column has more than the entries took')
  return list
}

/** Reads the next value of a column, checks it, and appends it to the entry that was appended last. */
function readValue(column: ColumnReader, kind: number, vt: number, list: EntryList, fail: (what: string) => Error) {
  const { field, reader } = column
  switch (field.column) {
    case 'count': {
      const count = reader.whole()
      if (count > column.greatest) throw fail(fieldFault(KINDS[kind]!.kind, field))
      list.appendNumber(count)
      break
    }
    case 'hash':
      list.appendNumber(reader.u32())
      break
    case 'time': {
      const time = reader.signed() + vt
      // NEVER stands in the shape, or one message would have two encodings.
      if (!isWhole(time) || time === NEVER) throw fail(fieldFault(KINDS[kind]!.kind, field))
      list.appendNumber(time)
      break
    }
    case 'bytes':
      list.appendBytes(reader.view(reader.whole()))
      break
    case 'shape':
      assert.fail('a field of the shape has no column')
  }
}
