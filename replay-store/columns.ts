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
import { Packr } from 'msgpackr'
import { ByteReader } from './bytes.ts'
import type { Entry, Field, FieldValue } from './codec.ts'
import { entryFault, FIELDS_AT, KIND_AT, KINDS, kindNumber, SRC_AT } from './codec.ts'

/** What the columns of a segment start from; kept in its header. */
export interface ColumnBase {
  nsPerInstruction: number
  firstIcount: number
  firstVt: number
}

export const GRID = kindNumber('grid')
/** Stands in a shape for a field that has a column. */
export const IN_COLUMN = 1
/** Stands in a shape for a time of 0, which needs no column: `data` that must be asked again. */
export const ZERO_TIME = 0

/** Whether a field with this value in its shape has a column. */
export function inColumn(field: Field, inShape: FieldValue): boolean {
  return field.column !== 'shape' && inShape === IN_COLUMN
}

function readField(field: Field, vt: number, column: ByteReader): FieldValue {
  switch (field.column) {
    case 'count':
      return column.whole()
    case 'hash':
      return column.u32()
    case 'time':
      return column.signed() + vt
    case 'bytes':
      return column.bytes(column.whole())
    case 'shape':
      assert.fail('a field of the shape has no column')
  }
}

/** Where a kind's fields begin in a shape, which lacks vt and icount. */
const SHAPE_FIELDS_AT = FIELDS_AT - SRC_AT
const SHAPE_KIND_AT = KIND_AT - SRC_AT

interface ShapeReader {
  shape: FieldValue[]
  columns: (ByteReader | undefined)[]
}

/** The dictionary of a body. A shape with its columns' marks in place is a well-formed entry but for its times. */
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
    const known = Array.isArray(row) && KINDS[row[SHAPE_KIND_AT]] !== undefined && row[0] < nodeCount
    const fields = known ? KINDS[row[SHAPE_KIND_AT]]!.fields.length : 0
    if (!known || row.length > SHAPE_FIELDS_AT + fields) throw fail('the dictionary of shapes has a row that is none')
  }
  return rows as FieldValue[][]
}

/**
 * The entries that a `ColumnWriter` was given. `fail` makes the error to throw where the body is not what it wrote; the
 * entries are checked one by one.
 */
export function decodeColumns(
  body: Uint8Array,
  entryCount: number,
  nodeCount: number,
  base: ColumnBase,
  fail: (what: string) => Error,
): Entry[] {
  const reader = new ByteReader(body, fail)
  const stream = () => new ByteReader(reader.view(reader.whole()), fail)
  const dictionary = readDictionary(reader.view(reader.whole()), nodeCount, fail)
  const shapeIds = stream()
  const gridIcounts = stream()
  const otherIcounts = stream()
  const idles = stream()
  const rows: ShapeReader[] = dictionary.map((shape) => {
    const { fields } = KINDS[shape[SHAPE_KIND_AT] as number]!
    const values = shape.slice(SHAPE_FIELDS_AT)
    return { shape, columns: values.map((value, i) => (inColumn(fields[i]!, value) ? stream() : undefined)) }
  })
  if (!reader.atEnd) throw fail('bytes are left over after the last column')

  const entries: Entry[] = []
  let gridIcount = base.firstIcount
  let otherIcount = base.firstIcount
  let idleNs = base.firstVt - base.firstIcount * base.nsPerInstruction
  for (let i = 0; i < entryCount; i++) {
    const row = rows[shapeIds.whole()]
    if (row === undefined) throw fail('an entry has a shape that is not in the dictionary')
    const kind = row.shape[SHAPE_KIND_AT] as number
    let icount: number
    if (kind === GRID) icount = gridIcount += gridIcounts.whole()
    else icount = otherIcount += otherIcounts.whole()
    idleNs += idles.signed()
    const vt = icount * base.nsPerInstruction + idleNs
    const { fields } = KINDS[kind]!
    const entry: Entry = [vt, icount, ...row.shape]
    row.columns.forEach((column, f) => {
      if (column !== undefined) entry[FIELDS_AT + f] = readField(fields[f]!, vt, column)
    })
    const fault = entryFault(entry, nodeCount)
    if (fault !== undefined) throw fail(fault)
    entries.push(entry)
  }
  const columns = rows.flatMap((row) => row.columns)
  const all = [shapeIds, gridIcounts, otherIcounts, idles, ...columns]
  if (!all.every((column) => column === undefined || column.atEnd))
    throw fail('a column has more than the entries took')
  return entries
}
