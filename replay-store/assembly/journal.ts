/** What JavaScript calls. */
import { append } from './column-writer'
import { encode } from './entry-encoder'

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
  const waiting = encode(dataLength)
  if (waiting >= 0) append()
  return waiting
}
