/**
 * IEEE 802.3's frames as they come from the world and go to it, without preamble and check sequence.
 */
import { crc32 } from 'node:zlib'
import { uncleared } from '../sdk/mod.ts'

export const ADDRESS_BYTES = 6
/** Without the check sequence. Shorter frames are padded on the wire. */
export const LEAST_FRAME_BYTES = 60
export const CHECK_BYTES = 4

const GROUP = 0x01

/** The frame as a receiver has it: padded to `leastBytes`, and with its check sequence. */
export function withCheck(frame: Uint8Array, leastBytes: number = LEAST_FRAME_BYTES): Uint8Array<ArrayBuffer> {
  const length = Math.max(frame.length, leastBytes)
  const bytes = uncleared(length + CHECK_BYTES)
  bytes.set(frame)
  bytes.fill(0, frame.length, length)
  const check = crc32(bytes.subarray(0, length))
  for (let i = 0; i < CHECK_BYTES; i++) bytes[length + i] = check >>> (8 * i)
  return bytes
}

/** The frame of what software gave its check sequence itself; undefined: that is wrong. */
export function sentWithCheck(bytes: Uint8Array): Uint8Array | undefined {
  const frame = bytes.subarray(0, -CHECK_BYTES)
  if (frame.length === 0) return undefined
  const check = new DataView(bytes.buffer, bytes.byteOffset + frame.length, CHECK_BYTES).getUint32(0, true)
  return check === crc32(frame) ? frame : undefined
}

/** Whether its destination is a group of stations, all of them among these. */
export function isForGroup(frame: Uint8Array): boolean {
  return ((frame[0] ?? 0) & GROUP) !== 0
}

export function isForAll(frame: Uint8Array): boolean {
  for (let i = 0; i < ADDRESS_BYTES; i++) if (frame[i] !== 0xff) return false
  return true
}

/** The check sequence of its destination, as a receiver's shift register has it: cards choose among groups by some bits of it. */
export function destinationCheck(frame: Uint8Array): number {
  return ~crc32(frame.subarray(0, ADDRESS_BYTES)) >>> 0
}
