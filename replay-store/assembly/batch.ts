/** Takes entries that come many at a time, from another thread. */
import { BATCH_HAS_DATA, RECORD_FIELD_COUNT, RECORD_FIELDS, RECORD_KIND } from '../entry-record'
import { add } from './add'
import { waiting } from './entry-encoder'
import { dataFor, number, record } from './record'

const FIRST_BYTES: usize = 128 * 1024

let batch: usize = heap.alloc(FIRST_BYTES)
let capacity: usize = FIRST_BYTES
/** Where the next entry is, and the last ends. */
let next: usize = 0
let end: usize = 0
let before: i32 = 0
let fault: i32 = 0

/** Where a batch of `length` bytes goes, which takes the place of the one before. */
export function batchFor(length: usize): usize {
  if (length > capacity) {
    capacity = max<usize>(2 * capacity, length)
    batch = heap.alloc(capacity)
  }
  next = batch
  end = batch + length
  return batch
}

/** Whether all entries of the batch are taken. */
export function isBatchDone(): bool {
  return next === end
}

/**
 * Adds entries of the batch, as `add` does, up to the first of kind `lastKind`, or with which more than `full` bytes wait. Returns how
 * many; -1: the next one is ill-formed, it is in the record, and `batchFault` says what is wrong.
 */
export function addSome(full: i32, lastKind: u32): i32 {
  let count = 0
  while (next < end) {
    const at = next
    const kind = loadEntry()
    before = waiting()
    const length = add(dataBytes)
    if (length < 0) {
      next = at
      fault = length
      return -1
    }
    count++
    if (length > full || kind === lastKind) break
  }
  return count
}

/** How many bytes waited before the entry that was added last. */
export function waitedBefore(): i32 {
  return before
}

export function batchFault(): i32 {
  return fault
}

let dataBytes: usize = 0

/** Lays the next entry into the record, and its data where they belong. Returns its kind. */
function loadEntry(): u32 {
  const marked = <u32>load<f64>(next + 8 * RECORD_FIELD_COUNT)
  const fieldCount = marked % BATCH_HAS_DATA
  const recordBytes: usize = 8 * (RECORD_FIELDS + fieldCount)
  for (let at: usize = 0; at < recordBytes; at += 8) store<u64>(record + at, load<u64>(next + at))
  next += recordBytes
  dataBytes = 0
  if (marked !== fieldCount) {
    store<f64>(record + 8 * RECORD_FIELD_COUNT, fieldCount)
    dataBytes = <usize>load<f64>(next)
    memory.copy(dataFor(dataBytes), next + 8, dataBytes)
    next += 8 + ((dataBytes + 7) & ~7)
  }
  return <u32>number(RECORD_KIND)
}
