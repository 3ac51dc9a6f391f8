/** Takes the entry in the record. */
import { append, findRow, newRow } from './column-writer'
import { encode, encodeAfter } from './entry-encoder'

/** Encodes it, as `encode` does, and appends it to the columns of its segment. */
export function add(dataLength: usize): i32 {
  const row = findRow()
  const waiting =
    row === null ? encode(dataLength) : encodeAfter(row.start, row.startLength, row.startFields, dataLength)
  if (waiting >= 0) append(row === null ? newRow() : row)
  return waiting
}
