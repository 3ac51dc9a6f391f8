/**
 * The sending half of a TCP connection: what was sent and is not acknowledged, how much more may be sent, and what is sent again.
 * RFC 9293 3.8, RFC 5681 (slow start, congestion avoidance, fast retransmit), RFC 6582 (several losses in one window) and RFC 6298,
 * without its measurement: on a wire in virtual time every answer comes within the second that it has as its least timeout.
 *
 * Places are offsets from the first sequence number, which never wrap: SYN is at 0, the first byte at 1.
 */
import assert from 'node:assert/strict'
import type { Vt } from '../../../bus/mod.ts'
import { sequenceLength } from './tcp-segment.ts'

/** Bounds what a connection holds of data, and its congestion window. */
export const MOST_IN_FLIGHT_BYTES = 256 << 10
const FIRST_WINDOW_SEGMENTS = 10
const DUPLICATES_THAT_TELL = 3

const FIRST_TIMEOUT_NS = 1e9
const LONGEST_TIMEOUT_NS = 60e9
/** After the last of them the guest is taken to be gone: four minutes. */
const MOST_RETRIES = 8
/** A guest that answers, and has no room, is given this many: most of an hour. */
const MOST_PROBES = 60

/** A part of what was sent. */
export interface Sent {
  at: number
  payload: Buffer
  /** SYN, FIN or PSH. */
  flags: number
  isLost: boolean
}

export class TcpSender {
  readonly #largestSegment: number
  /** Sent and not acknowledged, in order: at most `MOST_IN_FLIGHT_BYTES`. */
  readonly #flight: Sent[] = []
  #acked = 0
  #sent = 0
  /** To where the guest has room. */
  #windowEnd = 1
  /** Bytes of the flight that are lost and were not sent again. */
  #lostBytes = 0
  /** The first lost part goes out whatever the congestion window says. */
  #isUrgent = false
  /** The timer of a closed window was due: a byte may go out all the same. */
  #isProbing = false
  #congestionWindow: number
  #threshold = MOST_IN_FLIGHT_BYTES
  #duplicates = 0
  /** Up to where was sent when a loss was noticed: until then one loss is part of the same trouble. */
  #recovery = 0
  #isRecovering = false
  #timerDue: Vt | undefined
  #timeoutNs = FIRST_TIMEOUT_NS
  #retries = 0

  /** @param largestSegment the most bytes of data in a segment */
  constructor(largestSegment: number) {
    this.#largestSegment = largestSegment
    this.#congestionWindow = FIRST_WINDOW_SEGMENTS * largestSegment
  }

  /** Up to where everything is acknowledged, and sent. */
  get acked(): number {
    return this.#acked
  }

  get sent(): number {
    return this.#sent
  }

  get timerDue(): Vt | undefined {
    return this.#timerDue
  }

  /** How many bytes of new data may be sent now. */
  get room(): number {
    if (this.#lostBytes > 0) return 0
    const window = this.#windowEnd - this.#sent
    if (window <= 0) return this.#isProbing ? 1 : 0
    const usable = Math.min(window, this.#congestionWindow - this.#inFlightBytes)
    if (usable >= this.#largestSegment) return this.#largestSegment
    // Less than a whole segment waits until nothing is on its way (RFC 9293 3.8.6.2.1).
    return this.#flight.length === 0 ? usable : 0
  }

  /** Whether `resend` has something. */
  get hasLost(): boolean {
    const first = this.#firstLost
    if (first === undefined) return false
    const inFlight = this.#inFlightBytes
    return this.#isUrgent || inFlight === 0 || inFlight + sequenceLength(first) <= this.#congestionWindow
  }

  /** New data, SYN or FIN: it is kept until it is acknowledged. */
  send(flags: number, payload: Buffer, vt: Vt): Sent {
    const part: Sent = { at: this.#sent, payload, flags, isLost: false }
    this.#flight.push(part)
    this.#sent += sequenceLength(part)
    this.#isProbing = false
    this.#timerDue ??= vt + this.#timeoutNs
    return part
  }

  /** What is to be sent again now, if anything. */
  resend(vt: Vt): Sent | undefined {
    const first = this.hasLost ? this.#firstLost : undefined
    if (first === undefined) return undefined
    first.isLost = false
    this.#lostBytes -= sequenceLength(first)
    this.#isUrgent = false
    this.#timerDue ??= vt + this.#timeoutNs
    return first
  }

  /**
   * The guest has everything up to `ack`, not before `acked` and not after `sent`, and room up to `windowEnd`.
   * `isPlain`: the segment had nothing else to say, so that a repetition tells of a loss.
   */
  acknowledge(ack: number, windowEnd: number, isPlain: boolean, vt: Vt): void {
    assert(ack >= this.#acked && ack <= this.#sent, 'only what was sent is acknowledged, and not taken back')
    const wasClosed = this.#windowEnd <= this.#acked
    const isDuplicate = isPlain && ack === this.#acked && windowEnd === this.#windowEnd && this.#flight.length > 0
    this.#windowEnd = windowEnd
    if (ack > this.#acked) this.#progress(ack, vt)
    else if (isDuplicate) this.#repeated()
    if (wasClosed && windowEnd > this.#acked) this.#reopened()
  }

  /**
   * Called when all else is done: sets the timer of a closed window, or stops a timer that nothing waits for.
   * `hasMore`: there may be more to send than has been sent.
   */
  settle(hasMore: boolean, vt: Vt): void {
    if (this.#flight.length > 0) return
    if (hasMore && this.#windowEnd <= this.#sent) this.#timerDue ??= vt + this.#timeoutNs
    else this.#stopTimer()
  }

  /** The timer is due. Returns false when the guest has been silent for too long. */
  expire(vt: Vt): boolean {
    const isClosed = this.#windowEnd <= this.#acked
    if (++this.#retries > (isClosed ? MOST_PROBES : MOST_RETRIES)) return false
    this.#timeoutNs = Math.min(2 * this.#timeoutNs, LONGEST_TIMEOUT_NS)
    this.#timerDue = vt + this.#timeoutNs
    if (this.#flight.length === 0) {
      this.#isProbing = true
      return true
    }
    if (!isClosed) this.#threshold = this.#halfFlight
    this.#congestionWindow = this.#largestSegment
    this.#isRecovering = false
    this.#recovery = this.#sent
    this.#duplicates = 0
    this.#loseAll()
    return true
  }

  /** Bytes that are on their way, as far as is known. */
  get #inFlightBytes(): number {
    return this.#sent - this.#acked - this.#lostBytes
  }

  get #halfFlight(): number {
    return Math.max((this.#sent - this.#acked) >> 1, 2 * this.#largestSegment)
  }

  get #firstLost(): Sent | undefined {
    return this.#lostBytes === 0 ? undefined : this.#flight.find(({ isLost }) => isLost)
  }

  /** Something new is acknowledged. */
  #progress(ack: number, vt: Vt): void {
    const bytes = ack - this.#acked
    this.#forget(ack)
    this.#acked = ack
    this.#duplicates = 0
    this.#stopTimer()
    if (this.#flight.length > 0) this.#timerDue = vt + this.#timeoutNs
    if (this.#isRecovering && ack < this.#recovery) {
      // The next part is lost too.
      this.#congestionWindow = Math.max(this.#congestionWindow - bytes, 0) + this.#largestSegment
      this.#loseFirst()
      return
    }
    if (this.#isRecovering) {
      this.#isRecovering = false
      this.#congestionWindow = this.#threshold
      return
    }
    const isSlowStart = this.#congestionWindow < this.#threshold
    const growth = isSlowStart ? bytes : Math.ceil((this.#largestSegment * bytes) / this.#congestionWindow)
    this.#congestionWindow = Math.min(this.#congestionWindow + growth, MOST_IN_FLIGHT_BYTES)
  }

  /** What the guest has need not be kept. */
  #forget(ack: number): void {
    let whole = 0
    for (const part of this.#flight) {
      const end = part.at + sequenceLength(part)
      if (end > ack && part.at >= ack) break
      if (part.isLost) this.#lostBytes -= Math.min(end, ack) - part.at
      if (end > ack) {
        // SYN and FIN are alone in theirs, so it is data that is acknowledged in part.
        part.payload = part.payload.subarray(ack - part.at)
        part.at = ack
        break
      }
      whole++
    }
    this.#flight.splice(0, whole)
  }

  /** The guest got something, not what it waits for. */
  #repeated(): void {
    this.#duplicates++
    if (this.#isRecovering) {
      // One segment more has left the wire.
      this.#congestionWindow = Math.min(this.#congestionWindow + this.#largestSegment, MOST_IN_FLIGHT_BYTES)
      return
    }
    if (this.#duplicates !== DUPLICATES_THAT_TELL || this.#acked < this.#recovery) return
    this.#isRecovering = true
    this.#recovery = this.#sent
    this.#threshold = this.#halfFlight
    this.#congestionWindow = this.#threshold + DUPLICATES_THAT_TELL * this.#largestSegment
    this.#loseFirst()
  }

  /** What was sent into a closed window, to try it, is not there. */
  #reopened(): void {
    this.#stopTimer()
    this.#loseAll()
    this.#isUrgent = this.#lostBytes > 0
  }

  #loseFirst(): void {
    const [first] = this.#flight
    if (first === undefined) return
    if (!first.isLost) this.#lostBytes += sequenceLength(first)
    first.isLost = true
    this.#isUrgent = true
  }

  #loseAll(): void {
    for (const part of this.#flight) part.isLost = true
    this.#lostBytes = this.#sent - this.#acked
  }

  #stopTimer(): void {
    this.#timerDue = undefined
    this.#timeoutNs = FIRST_TIMEOUT_NS
    this.#retries = 0
    this.#isProbing = false
  }
}
