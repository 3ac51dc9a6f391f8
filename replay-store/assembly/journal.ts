/** What JavaScript calls: the entry in the record is encoded first, and appended to its segment's columns then. */
export { append, begin, bodyLength, finish, places, rowAt, rowCount } from './column-writer'
export { bytesAt, drop, encode, forms, greatest, lastEntryIcount, lastEntryVt } from './entry-encoder'
export { dataFor, record } from './record'
