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
import { ByteReader, ByteWriter } from './bytes.ts'
import type { Entry, Field, FieldValue } from './codec.ts'
import { entryFault, FIELDS_AT, ICOUNT_AT, KIND_AT, KINDS, kindNumber, SRC_AT, VT_AT } from './codec.ts'

/** What the columns of a segment start from; kept in its header. */
export interface ColumnBase {
  nsPerInstruction: number
  firstIcount: number
  firstVt: number
}

const GRID = kindNumber('grid')
/** Stands in a shape for a field that has a column. */
const IN_COLUMN = 1
/** Stands in a shape for a time of 0, which needs no column: `data` that must be asked again. */
const ZERO_TIME = 0

/** The value in a shape of one field of an entry. */
function shapeValue(field: Field, value: FieldValue): FieldValue {
  if (field.column === 'shape') return value
  if (field.column === 'time') return value === null ? null : value === 0 ? ZERO_TIME : IN_COLUMN
  return IN_COLUMN
}

/** Whether a field with this value in the entry's shape has a column. */
function inColumn(field: Field, inShape: FieldValue): boolean {
  return field.column !== 'shape' && inShape === IN_COLUMN
}

function writeField(field: Field, value: FieldValue, vt: number, column: ByteWriter): void {
  switch (field.column) {
    case 'count':
      column.whole(value as number)
      break
    case 'hash':
      column.u32(value as number)
      break
    case 'time':
      column.signed((value as number) - vt)
      break
    case 'bytes':
      column.whole((value as Uint8Array).length)
      column.bytes(value as Uint8Array)
      break
    case 'shape':
      assert.fail('a field of the shape has no column')
  }
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

/** One row of the dictionary while it is made, with the columns of its entries. */
interface ShapeWriter {
  id: number
  shape: FieldValue[]
  /** In the order of the kind's fields; absent where the field is in the shape. */
  columns: (ByteWriter | undefined)[]
}

function shapeOf(entry: Entry): FieldValue[] {
  const { fields } = KINDS[entry[KIND_AT] as number]!
  const shape = entry.slice(SRC_AT, FIELDS_AT)
  for (let at = FIELDS_AT; at < entry.length; at++) shape.push(shapeValue(fields[at - FIELDS_AT]!, entry[at]!))
  return shape
}

/** Where a kind's fields begin in a shape, which lacks vt and icount. */
const SHAPE_FIELDS_AT = FIELDS_AT - SRC_AT
const SHAPE_KIND_AT = KIND_AT - SRC_AT

function newShape(id: number, shape: FieldValue[]): ShapeWriter {
  const { fields } = KINDS[shape[SHAPE_KIND_AT] as number]!
  const columns = shape
    .slice(SHAPE_FIELDS_AT)
    .map((value, i) => (inColumn(fields[i]!, value) ? new ByteWriter() : undefined))
  return { id, shape, columns }
}

/** The columns of `entries`, not compressed. */
export function encodeColumns(entries: readonly Entry[], base: ColumnBase): Uint8Array {
  const shapes = new Map<string, ShapeWriter>()
  const shapeIds = new ByteWriter()
  const gridIcounts = new ByteWriter()
  const otherIcounts = new ByteWriter()
  const idles = new ByteWriter()
  let gridIcount = base.firstIcount
  let otherIcount = base.firstIcount
  let idleNs = base.firstVt - base.firstIcount * base.nsPerInstruction

  for (const entry of entries) {
    const vt = entry[VT_AT] as number
    const icount = entry[ICOUNT_AT] as number
    const shape = shapeOf(entry)
    const key = shape.join('\n')
    let row = shapes.get(key)
    if (row === undefined) {
      row = newShape(shapes.size, shape)
      shapes.set(key, row)
    }
    shapeIds.whole(row.id)
    if (entry[KIND_AT] === GRID) {
      gridIcounts.whole(icount - gridIcount)
      gridIcount = icount
    } else {
      otherIcounts.whole(icount - otherIcount)
      otherIcount = icount
    }
    const entryIdleNs = vt - icount * base.nsPerInstruction
    idles.signed(entryIdleNs - idleNs)
    idleNs = entryIdleNs
    const { fields } = KINDS[entry[KIND_AT] as number]!
    row.columns.forEach((column, i) => {
      if (column !== undefined) writeField(fields[i]!, entry[FIELDS_AT + i]!, vt, column)
    })
  }

  const dictionary = new Packr({ useRecords: false }).pack([...shapes.values()].map((row) => row.shape))
  const body = new ByteWriter()
  const streams = [dictionary, ...[shapeIds, gridIcounts, otherIcounts, idles].map((writer) => writer.view())]
  for (const row of shapes.values()) {
    for (const column of row.columns) if (column !== undefined) streams.push(column.view())
  }
  for (const stream of streams) {
    body.whole(stream.length)
    body.bytes(stream)
  }
  return body.view()
}

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
 * The entries that `encodeColumns` was given. `fail` makes the error to throw where the body is not what it wrote; the
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
