/**
 * Frames on their way to a card, no faster than its wire carries them. Inputs enter at grid points only, so at each one comes what the
 * wire would have carried in the time between two; what is left waits for the next.
 */
import type { Vt } from '../../bus/mod.ts'

/** What 100 Mbit/s carry in the 4 ms between two grid points. */
export const WIRE_BYTES_PER_POINT = 50_000
/** Preamble, check sequence and gap, beside each frame. */
export const WIRE_BYTES_PER_FRAME = 24
/**
 * Drivers give their cards few buffers (Linux's pcnet32: 32), enough where frames come one by one. All that enters at one point comes
 * before the driver looks, and some that came before may still be there. Of four downloads at a time on a busy guest, 32 frames a point
 * lost 1 in 60, 24 none, and they took as long. It is three quarters of what the wire carries of long frames.
 */
export const FRAMES_PER_POINT = 24

const SHORTEST_FRAME_BYTES = 60
/** With Ethernet's header, without the check sequence. */
export const LONGEST_FRAME_BYTES = 1514

export interface PacedQueueOptions {
  /** How many frames may wait. */
  mostFrames: number
  /** Which frame is lost, and counted, when one more comes. */
  overflow: 'dropOldest' | 'dropNewest'
  /** How many enter at one grid point. Default: `FRAMES_PER_POINT`. */
  mostPerPoint?: number
}

export class PacedQueue {
  readonly #options: PacedQueueOptions
  /** At most `mostFrames`, by time. */
  readonly #frames: { bytes: Uint8Array; vt: Vt }[] = []
  #dropped = 0

  constructor(options: PacedQueueOptions) {
    this.#options = options
  }

  /** How many frames were lost because too many waited. */
  get dropped(): number {
    return this.#dropped
  }

  get length(): number {
    return this.#frames.length
  }

  /** Since when the first frame waits; undefined if none does. */
  get waitingSince(): Vt | undefined {
    return this.#frames[0]?.vt
  }

  /** `bytes`: the frame from its destination address on, without the check sequence. It is kept, not copied. */
  push(bytes: Uint8Array, vt: Vt): void {
    if (this.#frames.length >= this.#options.mostFrames) {
      this.#dropped++
      if (this.#options.overflow === 'dropNewest') return
      this.#frames.shift()
    }
    this.#frames.push({ bytes, vt })
  }

  /**
   * The frames that enter at one grid point. While the wire has room for more than waits here, `pull` is asked for further ones, of at
   * most `LONGEST_FRAME_BYTES`, until it has none: so a sender that can wait keeps its data, and none of it is lost here.
   */
  take(pull: () => Uint8Array | undefined = () => undefined): Uint8Array[] {
    const taken: Uint8Array[] = []
    let wireBytes = 0
    const fits = (bytes: number) =>
      taken.length < (this.#options.mostPerPoint ?? FRAMES_PER_POINT) &&
      (wireBytes === 0 || wireBytes + onWire(bytes) <= WIRE_BYTES_PER_POINT)
    const add = (bytes: Uint8Array) => {
      taken.push(bytes)
      wireBytes += onWire(bytes.length)
    }
    for (const { bytes } of this.#frames) {
      if (!fits(bytes.length)) break
      add(bytes)
    }
    this.#frames.splice(0, taken.length)
    if (this.#frames.length > 0) return taken
    while (fits(LONGEST_FRAME_BYTES)) {
      const bytes = pull()
      if (bytes === undefined) break
      add(bytes)
    }
    return taken
  }
}

function onWire(bytes: number): number {
  return Math.max(bytes, SHORTEST_FRAME_BYTES) + WIRE_BYTES_PER_FRAME
}
