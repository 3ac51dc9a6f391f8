/** What JavaScript calls. */
export { add } from './add'
export { addSome, batchFault, batchFor, isBatchDone, waitedBefore } from './batch'
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
export { bytesAt, drop, encode, forms, greatest, lastEntryIcount, lastEntryVt, waiting } from './entry-encoder'
export { dataFor, record } from './record'
