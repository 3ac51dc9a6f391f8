/**
 * The tail of a journal: a file `journal/NNNNNN.tail` with the entries of segment N while it is not yet sealed.
 *
 *     frame := 'ANKF' | first entry u64 | entries u32 | payload bytes u32 | CRC-32 of the payload u32 |
 *              CRC-32 of the header so far u32 | payload: canonical entries
 *
 * Numbers are little-endian. Frames are only ever appended. A recorder that dies leaves whole frames and at most one
 * that is not; that one is dropped. A bad frame with a good one behind it is damage, not a cut.
 */
import { crc32 } from 'node:zlib'
import type { Entry, NodeTable } from './codec.ts'
import { decodeEntries } from './codec.ts'
import { DamagedError } from './errors.ts'

const MAGIC = 0x464b4e41
export const FRAME_HEADER_BYTES = 28
const HEADER_CHECKSUM_AT = 24

/** One frame: header and payload. `payload` holds `entryCount` entries from the journal's `firstEntry` on. */
export function encodeFrame(payload: Uint8Array, firstEntry: number, entryCount: number): Uint8Array {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length)
  frame.writeUInt32LE(MAGIC, 0)
  frame.writeBigUInt64LE(BigInt(firstEntry), 4)
  frame.writeUInt32LE(entryCount, 12)
  frame.writeUInt32LE(payload.length, 16)
  frame.writeUInt32LE(crc32(payload), 20)
  frame.writeUInt32LE(crc32(frame.subarray(0, HEADER_CHECKSUM_AT)), HEADER_CHECKSUM_AT)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

interface FrameHeader {
  firstEntry: number
  entryCount: number
  payloadBytes: number
  payloadChecksum: number
}

/** The header at `at`, or `undefined` where there is none with a good checksum. */
function frameHeader(file: Buffer, at: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > file.length || file.readUInt32LE(at) !== MAGIC) return undefined
  if (crc32(file.subarray(at, at + HEADER_CHECKSUM_AT)) !== file.readUInt32LE(at + HEADER_CHECKSUM_AT)) return undefined
  return {
    firstEntry: Number(file.readBigUInt64LE(at + 4)),
    entryCount: file.readUInt32LE(at + 12),
    payloadBytes: file.readUInt32LE(at + 16),
    payloadChecksum: file.readUInt32LE(at + 20),
  }
}

/** What stands at `at`: a whole frame, or what is wrong with it. */
function frameAt(file: Buffer, at: number): { header: FrameHeader; payload: Buffer } | { fault: string } {
  const left = file.length - at
  if (left < FRAME_HEADER_BYTES) return { fault: 'the last frame was cut off in its header' }
  const header = frameHeader(file, at)
  if (header === undefined) return { fault: 'the header of a frame is damaged' }
  if (left < FRAME_HEADER_BYTES + header.payloadBytes) return { fault: 'the last frame was cut off' }
  const payload = file.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + header.payloadBytes)
  if (crc32(payload) !== header.payloadChecksum) return { fault: "a frame's checksum does not match" }
  return { header, payload }
}

/** Whether a whole frame begins anywhere after `at`. */
function frameFollows(file: Buffer, at: number): boolean {
  const magic = Buffer.alloc(4)
  magic.writeUInt32LE(MAGIC)
  for (let next = file.indexOf(magic, at + 1); next !== -1; next = file.indexOf(magic, next + 1)) {
    if ('header' in frameAt(file, next)) return true
  }
  return false
}

export interface TailContents {
  entries: Entry[]
  /** Where the first frame that is not whole begins, and what is wrong with it. */
  cut?: { offset: number; what: string }
}

/**
 * The entries of a tail whose first one is to be the journal's `firstEntry`. Throws a `DamagedError` where a bad frame
 * is not the last.
 */
export function decodeTail(bytes: Uint8Array, firstEntry: number, nodes: NodeTable, path: string): TailContents {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: Entry[] = []
  let at = 0
  while (at < file.length) {
    const part = `the frame at byte ${at}`
    const frame = frameAt(file, at)
    if ('fault' in frame) {
      if (frameFollows(file, at)) throw new DamagedError(path, part, `${frame.fault}, and whole frames follow`)
      return { entries, cut: { offset: at, what: frame.fault } }
    }
    const { header, payload } = frame
    const expected = firstEntry + entries.length
    if (header.firstEntry !== expected) {
      throw new DamagedError(path, part, `it begins with entry ${header.firstEntry}, not ${expected}`)
    }
    const decoded = decodeEntries(payload, nodes, (what) => new DamagedError(path, part, what))
    if (decoded.length !== header.entryCount) {
      throw new DamagedError(path, part, `it should have ${header.entryCount} entries and has ${decoded.length}`)
    }
    for (const entry of decoded) entries.push(entry)
    at += FRAME_HEADER_BYTES + payload.length
  }
  return { entries }
}
