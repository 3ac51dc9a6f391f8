/** Where JavaScript puts an entry before it calls: its numbers, and the bytes of its field of bytes or its text. */
import { RECORD_LENGTH } from '../entry-record'

export const NEVER: f64 = 2 ** 53 - 1

export const record: usize = memory.data(8 * RECORD_LENGTH, 8)

const FIRST_BYTES: usize = 4096

export let data: usize = heap.alloc(FIRST_BYTES)
export let dataLength: usize = 0
let capacity: usize = FIRST_BYTES

export function number(place: u32): f64 {
  return load<f64>(record + 8 * place)
}

/** Where `length` bytes of data go. */
export function dataFor(length: usize): usize {
  if (length > capacity) {
    capacity = max<usize>(2 * capacity, length)
    data = heap.alloc(capacity)
  }
  return data
}

export function setDataLength(length: usize): void {
  dataLength = length
}
