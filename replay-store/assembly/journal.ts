/** What JavaScript calls. */
import { append, findRow, newRow } from './column-writer'
import { encode, encodeAfter } from './entry-encoder'

export {
  bodyLength,
  finish,
  firstEntryIcount,
  firstEntryVt,
  places,
  rowAt,
  rowCount,
  setJournal,
} from './column-writer'
export { bytesAt, drop, encode, forms, greatest, lastEntryIcount, lastEntryVt } from './entry-encoder'
export { dataFor, record } from './record'

/** Encodes the entry in the record, as `encode` does, and appends it to the columns of its segment. */
export function add(dataLength: usize): i32 {
  const row = findRow()
  const waiting =
    row === null ? encode(dataLength) : encodeAfter(row.start, row.startLength, row.startFields, dataLength)
  if (waiting >= 0) append(row === null ? newRow() : row)
  return waiting
}
