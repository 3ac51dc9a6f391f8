/**
 * Ethernet frames on a stream of bytes, as QEMU's `-netdev stream` and `socket` and passt have them: each behind its length,
 * 32 bits, the highest byte first.
 */
import { uncleared } from '../../bus/mod.ts'

export const LENGTH_BYTES = 4
/** Two addresses and a type. */
const LEAST_FRAME_BYTES = 14
/** A header with a VLAN tag, and 1500 bytes; without check sequence. */
const MOST_FRAME_BYTES = 18 + 1500
/** Lengths above it are none: the reader has lost its place, or the other side speaks something else. */
const MOST_LENGTH = 1 << 20

/** The frame behind its length. */
export function framed(frame: Uint8Array): Uint8Array {
  const bytes = uncleared(LENGTH_BYTES + frame.length)
  for (let i = 0; i < LENGTH_BYTES; i++) bytes[i] = frame.length >>> (8 * (LENGTH_BYTES - 1 - i))
  bytes.set(frame, LENGTH_BYTES)
  return bytes
}

/** Cuts one stream into frames. It holds one frame at most. */
export class FrameReader {
  /** Frames that were skipped: shorter than a header, longer than Ethernet's. */
  tooShort = 0
  tooLong = 0
  /** A length was implausible: nothing behind it is read. */
  isOutOfStep = false
  #length = 0
  #lengthBytes = 0
  /** What is there of the frame; undefined: it is skipped. */
  #frame: Uint8Array | undefined
  #have = 0

  /** The frames that end within the chunk, in order. */
  read(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    let at = 0
    while (at < chunk.length && !this.isOutOfStep) {
      if (this.#lengthBytes < LENGTH_BYTES) {
        this.#length = this.#length * 256 + chunk[at++]!
        if (++this.#lengthBytes === LENGTH_BYTES) this.#begin()
      } else {
        const part = chunk.subarray(at, at + this.#length - this.#have)
        this.#frame?.set(part, this.#have)
        this.#have += part.length
        at += part.length
      }
      if (this.#lengthBytes < LENGTH_BYTES || this.#have < this.#length) continue
      if (this.#frame !== undefined) frames.push(this.#frame)
      this.#length = 0
      this.#lengthBytes = 0
      this.#have = 0
    }
    return frames
  }

  /** A length is there. */
  #begin(): void {
    this.#frame = undefined
    if (this.#length > MOST_LENGTH) this.isOutOfStep = true
    else if (this.#length < LEAST_FRAME_BYTES) this.tooShort++
    else if (this.#length > MOST_FRAME_BYTES) this.tooLong++
    else this.#frame = uncleared(this.#length)
  }
}
