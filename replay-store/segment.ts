/**
 * A sealed segment: a file `journal/NNNNNN.segment` that is written once, whole, and never changed.
 *
 *     'ANKS' | header bytes u32 | header (msgpack array) | CRC-32 of all before u32 | body (zstd of the columns)
 *
 * The header holds the body's size and CRC-32 and is the index: which nodes the segment has entries of, and for what
 * range of icount, so that a search reads headers only. Numbers outside msgpack are little-endian.
 */
import assert from 'node:assert/strict'
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { Packr } from 'msgpackr'
import { z } from 'zod'
import type { Entry } from './codec.ts'
import { DST_AT, ICOUNT_AT, SRC_AT, VT_AT } from './codec.ts'
import { decodeColumns, encodeColumns } from './columns.ts'
import { DamagedError } from './errors.ts'

const MAGIC = 0x534b4e41
const PREFIX_BYTES = 8
const CHECKSUM_BYTES = 4
/** A header has a few numbers and one row a node; more than this is damage. */
export const MAX_HEADER_BYTES = 64 * 1024
/** No body is larger; a damaged size must not make the host run out of memory. */
const MAX_BODY_BYTES = 2 ** 30
/** Measured on a boot's 4096 entries: 19 takes three times as long as 12 and gains under 1 %. */
const ZSTD_LEVEL = 12

/** `count` entries have node `node` (an index into the node table) as source or destination, none outside these icounts. */
export interface NodeRange {
  node: number
  count: number
  firstIcount: number
  lastIcount: number
}

export interface SegmentHeader {
  number: number
  /** The place in the journal of the segment's first entry. */
  firstEntry: number
  entryCount: number
  firstIcount: number
  lastIcount: number
  firstVt: number
  lastVt: number
  nodes: readonly NodeRange[]
}

/** The header as it is read: with where its body is. */
export interface StoredSegmentHeader extends SegmentHeader {
  /** Bytes before the body. */
  bodyAt: number
  /** Size of the compressed body. */
  bodyBytes: number
  /** Size of the columns. */
  columnBytes: number
  bodyChecksum: number
}

const whole = z.int().min(0)
const headerSchema = z.tuple([
  whole, // number
  whole, // firstEntry
  whole.min(1), // entryCount
  whole, // firstIcount
  whole, // lastIcount
  whole, // firstVt
  whole, // lastVt
  z.array(z.tuple([whole, whole.min(1), whole, whole])), // nodes
  whole.max(MAX_BODY_BYTES), // bodyBytes
  whole.max(MAX_BODY_BYTES), // columnBytes
  whole, // bodyChecksum
])

function nodeRanges(entries: readonly Entry[]): NodeRange[] {
  const ranges = new Map<number, NodeRange>()
  const count = (node: number, icount: number) => {
    const range = ranges.get(node)
    if (range === undefined) ranges.set(node, { node, count: 1, firstIcount: icount, lastIcount: icount })
    else {
      range.count++
      range.lastIcount = icount
    }
  }
  for (const entry of entries) {
    const icount = entry[ICOUNT_AT] as number
    count(entry[SRC_AT] as number, icount)
    if (entry[DST_AT] !== entry[SRC_AT]) count(entry[DST_AT] as number, icount)
  }
  return [...ranges.values()].sort((a, b) => a.node - b.node)
}

/** The whole file of a segment that holds `entries`, at least one, the first of which is the journal's `firstEntry`. */
export function encodeSegment(
  entries: readonly Entry[],
  number: number,
  firstEntry: number,
  nsPerInstruction: number,
): Uint8Array {
  const first = entries[0]
  const last = entries.at(-1)
  assert(first !== undefined && last !== undefined, 'a segment has at least one entry')
  const firstIcount = first[ICOUNT_AT] as number
  const firstVt = first[VT_AT] as number
  const columns = encodeColumns(entries, { nsPerInstruction, firstIcount, firstVt })
  const body = zstdCompressSync(columns, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })
  const header = new Packr({ useRecords: false }).pack([
    number,
    firstEntry,
    entries.length,
    firstIcount,
    last[ICOUNT_AT],
    firstVt,
    last[VT_AT],
    nodeRanges(entries).map((range) => [range.node, range.count, range.firstIcount, range.lastIcount]),
    body.length,
    columns.length,
    crc32(body),
  ])
  assert(header.length <= MAX_HEADER_BYTES)
  const file = Buffer.alloc(PREFIX_BYTES + header.length + CHECKSUM_BYTES + body.length)
  file.writeUInt32LE(MAGIC, 0)
  file.writeUInt32LE(header.length, 4)
  file.set(header, PREFIX_BYTES)
  const checkedBytes = PREFIX_BYTES + header.length
  file.writeUInt32LE(crc32(file.subarray(0, checkedBytes)), checkedBytes)
  file.set(body, checkedBytes + CHECKSUM_BYTES)
  return file
}

/**
 * The header of a segment's file. `start` is the file's beginning, up to `MAX_HEADER_BYTES` and a few more; `fileBytes`
 * the size of the whole.
 */
export function decodeSegmentHeader(start: Uint8Array, fileBytes: number, path: string): StoredSegmentHeader {
  const fail = (what: string, cause?: unknown) => new DamagedError(path, 'the header of the segment', what, cause)
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  if (start.length < PREFIX_BYTES || view.getUint32(0, true) !== MAGIC)
    throw fail('it does not begin as a segment does')
  const checkedBytes = PREFIX_BYTES + view.getUint32(4, true)
  if (checkedBytes + CHECKSUM_BYTES > start.length) throw fail('its size is wrong, or the file was cut')
  const checked = start.subarray(0, checkedBytes)
  if (crc32(checked) !== view.getUint32(checkedBytes, true)) throw fail('its checksum does not match')

  const bodyAt = checkedBytes + CHECKSUM_BYTES
  let values: z.infer<typeof headerSchema>
  try {
    values = headerSchema.parse(new Packr({ useRecords: false }).unpack(checked.subarray(PREFIX_BYTES)))
  } catch (cause) {
    throw fail('its contents are not those of a header', cause)
  }
  const [number, firstEntry, entryCount, firstIcount, lastIcount, firstVt, lastVt, rows, bodyBytes, columnBytes, sum] =
    values
  if (bodyAt + bodyBytes !== fileBytes) {
    throw new DamagedError(
      path,
      'the body of the segment',
      `it should have ${bodyBytes} bytes and has ${fileBytes - bodyAt}`,
    )
  }
  const nodes = rows.map(([node, count, first, last]) => ({ node, count, firstIcount: first, lastIcount: last }))
  return {
    ...{ number, firstEntry, entryCount, firstIcount, lastIcount, firstVt, lastVt, nodes },
    ...{ bodyAt, bodyBytes, columnBytes, bodyChecksum: sum },
  }
}

/** The entries of a segment from the bytes of its body, checked. */
export function decodeSegmentBody(
  body: Uint8Array,
  header: StoredSegmentHeader,
  nodeCount: number,
  nsPerInstruction: number,
  path: string,
): Entry[] {
  const fail = (what: string, cause?: unknown) => new DamagedError(path, 'the body of the segment', what, cause)
  if (crc32(body) !== header.bodyChecksum) throw fail('its checksum does not match')
  let columns: Buffer
  try {
    columns = zstdDecompressSync(body, { maxOutputLength: Math.max(1, header.columnBytes) })
  } catch (cause) {
    throw fail('zstd cannot unpack it', cause)
  }
  if (columns.length !== header.columnBytes)
    throw fail(`it unpacks to ${columns.length} bytes, not ${header.columnBytes}`)
  const base = { nsPerInstruction, firstIcount: header.firstIcount, firstVt: header.firstVt }
  return decodeColumns(new Uint8Array(columns), header.entryCount, nodeCount, base, fail)
}
