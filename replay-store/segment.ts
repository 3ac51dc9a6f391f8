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
import { Packr } from 'msgpackr/pack'
import * as v from 'valibot'
import { type ColumnRow, ColumnWriter } from './column-writer.ts'
import { decodeColumns } from './columns.ts'
import type { EntryEncoder } from './entry-encoder.ts'
import type { EntryList } from './entry-list.ts'
import { DamagedError } from './errors.ts'

const MAGIC = 0x534b4e41
const PREFIX_BYTES = 8
const CHECKSUM_BYTES = 4
/** A header has a few numbers and one row a node; more than this is damage. */
export const MAX_HEADER_BYTES = 64 * 1024
/** No body is larger; a damaged size must not make the host run out of memory. */
const MAX_BODY_BYTES = 2 ** 30
/** Measured on a boot's 14 segments, 67 KB of them: 12 takes four times as long as 6 and gains under 1 %. */
const ZSTD_LEVEL = 6

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

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const positive = v.pipe(whole, v.minValue(1))
const headerSchema = v.strictTuple([
  whole, // number
  whole, // firstEntry
  positive, // entryCount
  whole, // firstIcount
  whole, // lastIcount
  whole, // firstVt
  whole, // lastVt
  v.array(v.strictTuple([whole, positive, whole, whole])), // nodes
  v.pipe(whole, v.maxValue(MAX_BODY_BYTES)), // bodyBytes
  v.pipe(whole, v.maxValue(MAX_BODY_BYTES)), // columnBytes
  whole, // bodyChecksum
])

/** Makes the files of segments from their entries, one by one as they come. */
export class SegmentWriter {
  readonly #encoder: EntryEncoder
  readonly #columns: ColumnWriter
  #entryCount = 0

  /** `encoder` also gets the canonical bytes of the entries. */
  constructor(encoder: EntryEncoder, nsPerInstruction: number) {
    this.#encoder = encoder
    this.#columns = new ColumnWriter(encoder.memory, nsPerInstruction)
  }

  /** Of the segment under way. */
  get entryCount(): number {
    return this.#entryCount
  }

  /** Takes what the encoder's `entry` is as the next entry. An ill-formed one is an assertion. */
  append(): void {
    this.#encoder.add()
    this.#entryCount++
  }

  /** The same for some entries of the encoder's batch, as its `addSome` says. */
  appendSome(full: number, lastKind: number): { count: number; before: number } {
    const added = this.#encoder.addSome(full, lastKind)
    this.#entryCount += added.count
    return added
  }

  /**
   * The whole file of segment `number`, whose first entry is the journal's `firstEntry`. It must have an entry; what is appended
   * after begins the next.
   */
  finish(number: number, firstEntry: number): Uint8Array {
    assert(this.#entryCount > 0, 'a segment has at least one entry')
    const { exports } = this.#encoder.memory
    const rows = this.#columns.rows()
    const columns = this.#columns.finish(rows)
    const body = zstdCompressSync(columns, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })
    const header = new Packr({ useRecords: false }).pack([
      number,
      firstEntry,
      this.#entryCount,
      exports.firstEntryIcount(),
      exports.lastEntryIcount(),
      exports.firstEntryVt(),
      exports.lastEntryVt(),
      nodeRanges(rows).map(({ node, count, firstIcount, lastIcount }) => [node, count, firstIcount, lastIcount]),
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
    this.#entryCount = 0
    return file
  }
}

/** Of the nodes that entries with these rows have, by node. */
function nodeRanges(rows: readonly ColumnRow[]): NodeRange[] {
  const ranges = new Map<number, NodeRange>()
  for (const { src, dst, count, firstIcount, lastIcount } of rows) {
    for (const node of new Set([src, dst])) {
      const range = ranges.get(node)
      if (range === undefined) ranges.set(node, { node, count, firstIcount, lastIcount })
      else {
        range.count += count
        range.firstIcount = Math.min(range.firstIcount, firstIcount)
        range.lastIcount = Math.max(range.lastIcount, lastIcount)
      }
    }
  }
  return [...ranges.values()].sort((a, b) => a.node - b.node)
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
  let values: v.InferOutput<typeof headerSchema>
  try {
    values = v.parse(headerSchema, new Packr({ useRecords: false }).unpack(checked.subarray(PREFIX_BYTES)))
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
): EntryList {
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
