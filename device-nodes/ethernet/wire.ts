/**
 * The end of a cable of 100 Mbit/s: frames that the world hands over all at once, at a point of the input grid, come to the card one
 * after the other, as fast as such a cable brings them. Drivers' rings are as long as that allows.
 *
 * IEEE 802.3, clauses 3 and 4: what a frame takes on the wire.
 */
import * as v from 'valibot'
import { field, NEVER, uncleared, type Vt } from '../sdk/mod.ts'
import { LEAST_FRAME_BYTES } from './frames.ts'

/** A bit takes 10 ns. */
const NS_PER_BYTE = 80
/** Preamble and start of the frame, its check sequence, and the gap to the next one. */
const OVERHEAD_BYTES = 8 + 4 + 12
const HEADER_BYTES = 14
/** What is longer is no frame, nor what is shorter than a header: such are dropped. */
export const MOST_FRAME_BYTES = 4096

/** On their way are at most this many bytes of frames. One that finds no room is dropped. */
export const WIRE_BYTES = 128 * 1024

export interface WireState {
  frames: Uint8Array<ArrayBuffer>[]
  due: Vt
  last: Vt
  dropped: number
}

const bytesOf = (frames: readonly Uint8Array[]) => frames.reduce((total, { length }) => total + length, 0)

/** How it is kept in its card's saved state. */
export const wireState = field.record({
  frames: v.pipe(
    field.list(field.bytes(MOST_FRAME_BYTES), Math.floor(WIRE_BYTES / LEAST_FRAME_BYTES)),
    v.check((frames) => frames.every(({ length }) => length >= LEAST_FRAME_BYTES), 'a frame is too short'),
    v.check((frames) => bytesOf(frames) <= WIRE_BYTES, `more than ${WIRE_BYTES} bytes`),
  ),
  due: field.vt(),
  last: field.vt(),
  dropped: field.vt(),
})

export class Wire {
  /** On their way, the next one first. */
  #frames: Uint8Array<ArrayBuffer>[] = []
  #bytes = 0
  /** When the next one is there as a whole. */
  #due: Vt = NEVER
  /** When the last one was. */
  #last: Vt = 0
  #dropped = 0

  /** When there is something to `take`: what a card sets its timer to. */
  get due(): Vt {
    return this.#due
  }

  /** How many frames found no room, or were none. */
  get dropped(): number {
    return this.#dropped
  }

  /** A frame without check sequence is on its way, padded. Where nothing came for so long as it takes, it is there at once. */
  put(bytes: Uint8Array, now: Vt): void {
    const length = Math.max(bytes.length, LEAST_FRAME_BYTES)
    if (bytes.length < HEADER_BYTES || length > MOST_FRAME_BYTES || this.#bytes + length > WIRE_BYTES) {
      this.#dropped++
      return
    }
    const frame = uncleared(length)
    frame.set(bytes)
    frame.fill(0, bytes.length)
    if (this.#frames.length === 0) this.#due = Math.max(now, this.#last + nsOf(frame))
    this.#frames.push(frame)
    this.#bytes += length
  }

  /** A frame that is there by now. */
  take(now: Vt): Uint8Array | undefined {
    if (this.#due > now) return undefined
    const frame = this.#frames.shift()!
    this.#bytes -= frame.length
    this.#last = this.#due
    const [next] = this.#frames
    this.#due = next === undefined ? NEVER : this.#last + nsOf(next)
    return frame
  }

  /** What is on its way is lost. */
  clear(): void {
    this.#frames = []
    this.#bytes = 0
    this.#due = NEVER
  }

  save(): WireState {
    return { frames: this.#frames, due: this.#due, last: this.#last, dropped: this.#dropped }
  }

  restore({ frames, due, last, dropped }: WireState): void {
    this.#frames = frames
    this.#bytes = bytesOf(frames)
    // A state that somebody changed must not make a card take what is not there.
    this.#due = frames.length === 0 ? NEVER : due
    this.#last = last
    this.#dropped = dropped
  }
}

/** How long a frame takes on the wire. */
function nsOf(frame: Uint8Array): number {
  return (frame.length + OVERHEAD_BYTES) * NS_PER_BYTE
}
