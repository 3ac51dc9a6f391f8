/** Writes the canonical bytes of entries (codec.ts says what they are), one behind the other into one buffer. */
import {
  FAULT_FIELD,
  FAULT_ICOUNT,
  FAULT_ICOUNT_ORDER,
  FAULT_VT,
  FAULT_VT_ORDER,
  FORM_BYTES,
  FORM_SIZE,
  FORM_SMALL,
  FORM_TARGET,
  FORM_TEXT,
  FORM_TIME,
  FORM_WHOLE,
  MAX_FIELDS,
  MAX_KINDS,
  RECORD_DST,
  RECORD_FIELD_COUNT,
  RECORD_FIELDS,
  RECORD_ICOUNT,
  RECORD_KIND,
  RECORD_SRC,
  RECORD_VT,
} from '../entry-record'
import { ByteWriter } from './byte-writer'
import { data, dataLength, NEVER, number, setDataLength } from './record'

/** By kind and field, in steps of `MAX_FIELDS`: its form, and the greatest number that it may be. */
export const forms: usize = memory.data(MAX_KINDS * MAX_FIELDS)
export const greatest: usize = memory.data(8 * MAX_KINDS * MAX_FIELDS, 8)

const NIL: u32 = 0xc0
const ARRAY: u32 = 0x90
const ENTRY_FIELDS: u32 = 5
const U32_MAX: f64 = 2 ** 32 - 1
/** The most bytes that the start of an entry behind its icount may have to be used again: what most of them have. */
export const START_BYTES: usize = 16
/** No number takes more. */
export const NUMBER_BYTES: usize = 9
/** No entry takes more, but for its bytes and text, and what is copied of a start and is none. */
const ENTRY_BYTES: usize = 1 + NUMBER_BYTES * (ENTRY_FIELDS + MAX_FIELDS) + START_BYTES
const FIRST_BYTES: usize = 128 * 1024

const out = new ByteWriter(FIRST_BYTES)
let lastVt: f64 = 0
let lastIcount: f64 = 0

/** Where the bytes that wait to be taken are; good until the next call. */
export function bytesAt(): usize {
  return out.at
}

/** How many bytes wait. */
export function waiting(): i32 {
  return <i32>out.length
}

/** Of the entry that was encoded last. */
export function lastEntryVt(): f64 {
  return lastVt
}

export function lastEntryIcount(): f64 {
  return lastIcount
}

/** Forgets the first `length` of the bytes that wait. */
export function drop(length: usize): void {
  out.drop(length)
}

/**
 * Puts the canonical bytes of the entry in the record, with `length` bytes of data, behind those that wait. Returns how many those
 * are now; below 0: what is wrong with it, and nothing was done.
 */
export function encode(length: usize): i32 {
  setDataLength(length)
  const fault = positionFault()
  if (fault < 0) return fault
  return writeFields(writeNodes(writePosition()), 0)
}

/**
 * The same for an entry whose nodes, kind and first `fieldCount` fields are those of one before: `start` is their bytes, with room
 * for `START_BYTES`.
 */
export function encodeAfter(start: usize, startLength: usize, fieldCount: u32, length: usize): i32 {
  setDataLength(length)
  const fault = positionFault()
  if (fault < 0) return fault
  const at = writePosition()
  for (let word: usize = 0; word < START_BYTES; word += 8) store<u64>(at + word, load<u64>(start + word))
  return writeFields(at + startLength, fieldCount)
}

/** What is wrong with the entry's vt and icount, or 0. */
function positionFault(): i32 {
  const vt = number(RECORD_VT)
  const icount = number(RECORD_ICOUNT)
  if (!isWhole(vt)) return FAULT_VT
  if (!isWhole(icount)) return FAULT_ICOUNT
  if (vt < lastVt) return FAULT_VT_ORDER
  return icount < lastIcount ? FAULT_ICOUNT_ORDER : 0
}

/** Makes room, and writes what stands before the nodes: returns where these go. */
function writePosition(): usize {
  let at = out.reserve(ENTRY_BYTES + dataLength)
  store<u8>(at++, ARRAY | (ENTRY_FIELDS + <u32>number(RECORD_FIELD_COUNT)))
  at = writeWhole(at, number(RECORD_VT))
  return writeWhole(at, number(RECORD_ICOUNT))
}

/** Writes nodes and kind at `at`; returns where the fields go. */
export function writeNodes(at: usize): usize {
  const nodesEnd = writeU32(writeU32(at, <u32>number(RECORD_SRC)), <u32>number(RECORD_DST))
  store<u8>(nodesEnd, <u32>number(RECORD_KIND))
  return nodesEnd + 1
}

/** Writes the fields from number `first` on at `at`, and ends the entry. Returns what `encode` does. */
function writeFields(at: usize, first: u32): i32 {
  const fieldCount = <u32>number(RECORD_FIELD_COUNT)
  for (let i = first; i < fieldCount; i++) {
    at = writeField(at, i)
    if (at === 0) return FAULT_FIELD - <i32>i
  }
  out.endAt(at)
  lastVt = number(RECORD_VT)
  lastIcount = number(RECORD_ICOUNT)
  return <i32>out.length
}

/** Whether it is a whole number from 0 to 2^53 - 1. */
function isWhole(value: f64): bool {
  return value >= 0 && value <= NEVER && floor(value) === value
}

function isU32(value: f64): bool {
  return <f64>(<u32>value) === value
}

/** Whether field `i` of such an entry is a number, which takes up to `NUMBER_BYTES`. */
export function isNumber(kind: u32, i: u32): bool {
  return <i32>load<u8>(forms + MAX_FIELDS * kind + i) < FORM_BYTES
}

/** Writes field `i` at `at`; returns where the next goes, or 0 where it is not as its form says. */
export function writeField(at: usize, i: u32): usize {
  const field: usize = MAX_FIELDS * <u32>number(RECORD_KIND) + i
  const value = number(RECORD_FIELDS + i)
  switch (<i32>load<u8>(forms + field)) {
    case FORM_SMALL:
      return isU32(value) && value <= load<f64>(greatest + 8 * field) ? writeU32(at, <u32>value) : 0
    case FORM_SIZE:
      return value === 1 || value === 2 || value === 4 ? writeU32(at, <u32>value) : 0
    case FORM_WHOLE:
      return isWhole(value) ? writeWhole(at, value) : 0
    case FORM_TIME:
      if (value === NEVER) {
        store<u8>(at, NIL)
        return at + 1
      }
      return isWhole(value) ? writeWhole(at, value) : 0
    case FORM_TARGET:
      if (value === -1) {
        store<u8>(at, 0xff)
        return at + 1
      }
      return isU32(value) ? writeU32(at, <u32>value) : 0
    case FORM_BYTES:
      return writeData(writeHead(at, <u32>dataLength, 0xc4))
    case FORM_TEXT:
      if (dataLength >= 0x20) return writeData(writeHead(at, <u32>dataLength, 0xd9))
      store<u8>(at, 0xa0 | <u32>dataLength)
      return writeData(at + 1)
    default:
      return 0
  }
}

function writeData(at: usize): usize {
  memory.copy(at, data, dataLength)
  return at + dataLength
}

/** Writes a whole number in msgpack's shortest form, those beyond 32 bits as msgpackr does; returns where the next goes. */
function writeWhole(at: usize, value: f64): usize {
  if (value <= U32_MAX) return writeU32(at, <u32>value)
  store<u8>(at, 0xcb)
  store<u64>(at + 1, bswap(reinterpret<u64>(value)))
  return at + 9
}

function writeU32(at: usize, value: u32): usize {
  if (value >= 0x80) return writeHead(at, value, 0xcc)
  store<u8>(at, value)
  return at + 1
}

/** Writes `value` behind `code`, or `code` + 1 or 2 where it takes two or four bytes. */
function writeHead(at: usize, value: u32, code: u32): usize {
  if (value < 0x100) {
    store<u8>(at, code)
    store<u8>(at + 1, value)
    return at + 2
  }
  if (value < 0x10000) {
    store<u8>(at, code + 1)
    store<u16>(at + 1, bswap(<u16>value))
    return at + 3
  }
  store<u8>(at, code + 2)
  store<u32>(at + 1, bswap(value))
  return at + 5
}
