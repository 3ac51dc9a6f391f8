/**
 * Puts the entries of one segment into columns (columns.ts says which), one by one as they come.
 *
 * The row of an entry's shape is that of the last entry of its kind, or is found by a hash of what the shape consists of: source,
 * destination, kind, and for each field its mark. Rows are told apart by comparing all of that.
 */
import {
  IN_COLUMN,
  MAX_FIELDS,
  MAX_KINDS,
  NEVER_TIME,
  PLACE_COUNT,
  PLACE_HASH,
  PLACE_SHAPE,
  PLACE_TIME,
  RECORD_DST,
  RECORD_FIELD_COUNT,
  RECORD_FIELDS,
  RECORD_ICOUNT,
  RECORD_KIND,
  RECORD_SRC,
  RECORD_VT,
  ROW_COUNT,
  ROW_DST,
  ROW_FIELD_COUNT,
  ROW_FIELDS,
  ROW_FIRST_ICOUNT,
  ROW_KIND,
  ROW_LAST_ICOUNT,
  ROW_LENGTH,
  ROW_SRC,
  ZERO_TIME,
} from '../entry-record'
import { ByteWriter } from './byte-writer'
import { isNumber, NUMBER_BYTES, START_BYTES, writeField, writeNodes } from './entry-encoder'
import { data, dataLength, NEVER, number } from './record'

/** By kind and field, in steps of `MAX_FIELDS`: where it goes. */
export const places: usize = memory.data(MAX_KINDS * MAX_FIELDS)

/** Of a column that all entries have: one byte or two each. */
const COMMON_BYTES: usize = 8192
const COLUMN_BYTES: usize = 256
const BUCKETS: u32 = 1024

/** One row of the dictionary, with the columns of its entries. */
class Row {
  /** One of the same bucket. */
  next: Row | null = null
  /** As `ROW_...` say. */
  readonly at: usize = heap.alloc(8 * ROW_LENGTH)
  readonly columns: ByteWriter[] = []
  /** The fields that the columns are of. */
  readonly columnFields: StaticArray<u8> = new StaticArray<u8>(MAX_FIELDS)
  columnCount: i32 = 0
  /** The canonical bytes of its entries behind icount, as far as they agree: nodes, kind and `startFields` fields. */
  readonly start: usize = heap.alloc(START_BYTES + NUMBER_BYTES)
  startLength: usize = 0
  startFields: u32 = 0

  constructor(readonly id: u32) {}
}

/** Of them, and of what they have, those of earlier segments are used again. */
const rows: Row[] = []
let rowsUsed = 0
const buckets = new StaticArray<Row | null>(BUCKETS)
/** By kind: the row of the last entry, which is often the next one's too. */
const lastRows = new StaticArray<Row | null>(MAX_KINDS)
const rowIds = new ByteWriter(COMMON_BYTES)
const gridIcounts = new ByteWriter(COMMON_BYTES)
const otherIcounts = new ByteWriter(COMMON_BYTES)
const idles = new ByteWriter(COMMON_BYTES)
const body = new ByteWriter(COMMON_BYTES)
let nsPerInstruction: f64 = 0
let gridKind: u32 = 0
let firstIcount: f64 = 0
let firstVt: f64 = 0
let gridIcount: f64 = 0
let otherIcount: f64 = 0
let idleNs: f64 = 0

/** What is to be known of the journal: how long an instruction takes, and the number of `grid` among kinds. */
export function setJournal(ns: f64, grid: u32): void {
  nsPerInstruction = ns
  gridKind = grid
}

/** Of the first entry of the segment under way, or that was finished. */
export function firstEntryIcount(): f64 {
  return firstIcount
}

export function firstEntryVt(): f64 {
  return firstVt
}

/** Begins a segment whose first entry is at `icount` and `vt`, and forgets the one before. */
function begin(icount: f64, vt: f64): void {
  rowsUsed = 0
  for (let i: u32 = 0; i < BUCKETS; i++) buckets[i] = null
  for (let i = 0; i < MAX_KINDS; i++) lastRows[i] = null
  gridIcounts.clear()
  otherIcounts.clear()
  idles.clear()
  firstIcount = icount
  firstVt = vt
  gridIcount = icount
  otherIcount = icount
  idleNs = vt - icount * nsPerInstruction
}

/** Appends the entry that was encoded last, which is of this row; the number of a text is in its place. */
export function append(row: Row): void {
  const vt = number(RECORD_VT)
  const icount = number(RECORD_ICOUNT)
  const kind = <u32>number(RECORD_KIND)
  if (rowNumber(row, ROW_COUNT) === 0) setRowNumber(row, ROW_FIRST_ICOUNT, icount)
  setRowNumber(row, ROW_COUNT, rowNumber(row, ROW_COUNT) + 1)
  setRowNumber(row, ROW_LAST_ICOUNT, icount)
  rowIds.whole(row.id)
  if (kind === gridKind) {
    gridIcounts.whole(<u64>(icount - gridIcount))
    gridIcount = icount
  } else {
    otherIcounts.whole(<u64>(icount - otherIcount))
    otherIcount = icount
  }
  const idle = vt - icount * nsPerInstruction
  idles.signed(<i64>(idle - idleNs))
  idleNs = idle
  if (row.columnCount > 0) appendFields(row, kind, vt)
}

/** How many rows the dictionary has. */
export function rowCount(): i32 {
  return rowsUsed
}

/** Where row `id` is: doubles, as `ROW_...` say. */
export function rowAt(id: i32): usize {
  return rows[id].at
}

/**
 * All columns one behind the other, the dictionary first, which is `dictionaryLength` bytes of data. Returns where they are, as many
 * as `bodyLength` says. What is appended after begins the next segment.
 */
export function finish(dictionaryLength: usize): usize {
  body.clear()
  body.whole(dictionaryLength)
  body.bytes(data, dictionaryLength)
  addToBody(rowIds)
  addToBody(gridIcounts)
  addToBody(otherIcounts)
  addToBody(idles)
  for (let i = 0; i < rowsUsed; i++) {
    const row = rows[i]
    for (let c = 0; c < row.columnCount; c++) addToBody(row.columns[c])
  }
  rowIds.clear()
  return body.at
}

export function bodyLength(): usize {
  return body.length
}

function addToBody(column: ByteWriter): void {
  body.whole(column.length)
  body.bytes(column.at, column.length)
}

function rowNumber(row: Row, place: u32): f64 {
  return load<f64>(row.at + 8 * place)
}

function setRowNumber(row: Row, place: u32, value: f64): void {
  store<f64>(row.at + 8 * place, value)
}

function fieldPlace(kind: u32, field: u32): u32 {
  return load<u8>(places + MAX_FIELDS * kind + field)
}

/** What a shape has of field `field` of the entry: the value where it goes into the shape, or what it is instead. */
function mark(kind: u32, field: u32): f64 {
  const place = fieldPlace(kind, field)
  if (place !== PLACE_SHAPE && place !== PLACE_TIME) return IN_COLUMN
  const value = number(RECORD_FIELDS + field)
  if (place === PLACE_SHAPE) return value
  if (value === 0) return ZERO_TIME
  return value === NEVER ? NEVER_TIME : IN_COLUMN
}

/** The row of the shape of the entry in the record; null where it is the first of its shape in its segment. */
export function findRow(): Row | null {
  const kind = <u32>number(RECORD_KIND)
  if (rowIds.length === 0) {
    begin(number(RECORD_ICOUNT), number(RECORD_VT))
    return null
  }
  const last = lastRows[kind]
  if (last !== null && isRowOf(last, kind)) return last
  let row = buckets[hash(kind) % BUCKETS]
  while (row !== null && (rowNumber(row, ROW_KIND) !== kind || !isRowOf(row, kind))) row = row.next
  if (row !== null) lastRows[kind] = row
  return row
}

/** Of the entry's shape. */
function hash(kind: u32): u32 {
  let value = mixed(mixed(kind, number(RECORD_SRC)), number(RECORD_DST))
  const fieldCount = <u32>number(RECORD_FIELD_COUNT)
  for (let i: u32 = 0; i < fieldCount; i++) value = mixed(value, mark(kind, i))
  return value
}

function mixed(value: u32, next: f64): u32 {
  const bits = reinterpret<u64>(next)
  const product = (value ^ <u32>bits ^ <u32>(bits >> 32)) * 0x9e3779b1
  return product ^ (product >> 15)
}

/** Whether a row of this kind is the one of the entry. */
function isRowOf(row: Row, kind: u32): bool {
  if (rowNumber(row, ROW_SRC) !== number(RECORD_SRC) || rowNumber(row, ROW_DST) !== number(RECORD_DST)) return false
  const fieldCount = number(RECORD_FIELD_COUNT)
  if (rowNumber(row, ROW_FIELD_COUNT) !== fieldCount) return false
  for (let i: u32 = 0; i < <u32>fieldCount; i++) {
    if (rowNumber(row, ROW_FIELDS + i) !== mark(kind, i)) return false
  }
  return true
}

/** The next row, of the shape of the entry that was encoded last. */
export function newRow(): Row {
  const kind = <u32>number(RECORD_KIND)
  if (rowsUsed === rows.length) rows.push(new Row(rowsUsed))
  const row = rows[rowsUsed++]
  const fieldCount = <u32>number(RECORD_FIELD_COUNT)
  setRowNumber(row, ROW_COUNT, 0)
  setRowNumber(row, ROW_SRC, number(RECORD_SRC))
  setRowNumber(row, ROW_DST, number(RECORD_DST))
  setRowNumber(row, ROW_KIND, kind)
  setRowNumber(row, ROW_FIELD_COUNT, fieldCount)
  row.columnCount = 0
  for (let i: u32 = 0; i < fieldCount; i++) addField(row, kind, i)
  setStart(row, kind, fieldCount)
  const bucket = hash(kind) % BUCKETS
  row.next = buckets[bucket]
  buckets[bucket] = row
  lastRows[kind] = row
  return row
}

function addField(row: Row, kind: u32, i: u32): void {
  const shown = mark(kind, i)
  setRowNumber(row, ROW_FIELDS + i, shown)
  if (fieldPlace(kind, i) === PLACE_SHAPE || shown !== IN_COLUMN) return
  if (row.columnCount === row.columns.length) row.columns.push(new ByteWriter(COLUMN_BYTES))
  row.columns[row.columnCount].clear()
  row.columnFields[row.columnCount++] = <u8>i
}

function setStart(row: Row, kind: u32, fieldCount: u32): void {
  let end = writeNodes(row.start)
  let fields: u32 = 0
  while (fields < fieldCount && fieldPlace(kind, fields) === PLACE_SHAPE && isNumber(kind, fields)) {
    const next = writeField(end, fields)
    if (next - row.start > START_BYTES) break
    end = next
    fields++
  }
  row.startFields = fields
  row.startLength = end - row.start
}

function appendFields(row: Row, kind: u32, vt: f64): void {
  for (let c = 0; c < row.columnCount; c++) {
    const column = row.columns[c]
    const field: u32 = row.columnFields[c]
    const value = number(RECORD_FIELDS + field)
    switch (fieldPlace(kind, field)) {
      case PLACE_COUNT:
        column.whole(<u64>value)
        break
      case PLACE_HASH:
        column.u32(<u32>value)
        break
      case PLACE_TIME:
        column.signed(<i64>(value - vt))
        break
      default:
        column.whole(dataLength)
        column.bytes(data, dataLength)
    }
  }
}
