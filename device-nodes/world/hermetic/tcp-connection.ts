/**
 * One TCP connection that a guest opened: RFC 9293, the passive side.
 *
 * What comes out of order is dropped and asked for again: on this wire that happens only where a guest's driver lost something. Urgent
 * data is data. After its end a connection that was closed here first stays to answer, without a timer, until its place is needed.
 */
import assert from 'node:assert/strict'
import type { Vt } from '../../../bus/mod.ts'
import { sequenceLength, TCP_FLAG, type TcpSegment } from './tcp-segment.ts'
import { TcpSender } from './tcp-sender.ts'

/** What a connection is for: it gets what the guest sends, and is asked for what to say. */
export interface TcpService {
  /**
   * How many bytes it can take now: less by what it received, more by what `read` has done with it. The guest is told with what `read`
   * then gives, so it makes room only where it gives something.
   */
  readonly room: number
  /** The next bytes from the guest, at most `room`. */
  receive(bytes: Buffer): void
  /** The guest sends no more. */
  end(): void
  /**
   * What to send next: from 1 to `mostBytes` bytes; `later`: nothing until more comes from the guest; `end`: nothing more ever;
   * `reset`: the connection is to break off, because what was begun cannot be kept.
   */
  read(mostBytes: number): Buffer | 'later' | 'end' | 'reset'
  /** The connection is no more. Called once. */
  close(): void
}

/** A guest may ask for less, down to this. */
const LEAST_SEGMENT_BYTES = 64
const DEFAULT_SEGMENT_BYTES = 536
/** Of a frame of 1500 bytes of payload. */
export const MOST_SEGMENT_BYTES = 1460
const MOST_WINDOW_BYTES = 0xffff
const MOST_WINDOW_SCALE = 14
/** Answers to what came out of order, that are not yet sent. With more of them the rest is not answered. */
const MOST_ACKS_OWED = 16

const NOTHING = Buffer.alloc(0)

export class TcpConnection {
  /** `lingering`: all is said, and it only answers. `gone`: it is to be forgotten. */
  state: 'opening' | 'open' | 'lingering' | 'gone' = 'opening'
  /** When the guest was last heard. */
  heardVt: Vt
  readonly #service: TcpService
  readonly #ports: { fromPort: number; toPort: number }
  readonly #firstSequence: number
  readonly #sender: TcpSender
  /** By how many bits the guest's windows are shifted; undefined: it knows nothing of that. */
  readonly #windowScale: number | undefined
  /** The next sequence number from the guest. */
  #expected: number
  /** How many bytes it may still send, as it was told. */
  #promised = 0
  #acksOwed = 0
  #hasGuestEnded = false
  #hasEnded = false
  /** The service may have something to send. */
  #isServiceReady = false
  #isBroken = false
  #isClosed = false

  /** @param syn the guest's first segment; @param firstSequence this side's first sequence number */
  constructor(service: TcpService, syn: TcpSegment, firstSequence: number, vt: Vt) {
    const { sequence, fromPort, toPort, windowScale, largestSegment = DEFAULT_SEGMENT_BYTES } = syn
    this.#service = service
    this.#ports = { fromPort: toPort, toPort: fromPort }
    this.#firstSequence = firstSequence
    this.#sender = new TcpSender(Math.max(LEAST_SEGMENT_BYTES, Math.min(largestSegment, MOST_SEGMENT_BYTES)))
    this.#windowScale = windowScale === undefined ? undefined : Math.min(windowScale, MOST_WINDOW_SCALE)
    this.#expected = (sequence + 1) >>> 0
    this.heardVt = vt
  }

  /** From when on `next` has something. */
  get due(): Vt | undefined {
    if (this.state === 'gone') return undefined
    return this.#canSend ? this.heardVt : this.#sender.timerDue
  }

  receive(segment: TcpSegment, vt: Vt): void {
    this.heardVt = vt
    const { flags } = segment
    const ahead = (segment.sequence - this.#expected) | 0
    if (flags & TCP_FLAG.RST) {
      // One that does not fit exactly may be forged, or late (RFC 9293 3.5.3).
      if (ahead === 0) this.#forget()
      else if (ahead > 0 && ahead < this.#window) this.#oweAck()
      return
    }
    if (flags & TCP_FLAG.SYN) {
      if (this.state !== 'opening') this.#oweAck()
      else if (ahead === -1 && (flags & TCP_FLAG.ACK) === 0) this.#sender.expire(vt)
      return
    }
    if ((flags & TCP_FLAG.ACK) === 0) return
    const length = sequenceLength(segment)
    if (ahead < 0 && ahead + length <= 0) {
      this.#oweAck()
      return
    }
    if (ahead > this.#window || !this.#acknowledged(segment, vt)) {
      this.#oweAck()
      return
    }
    if (ahead > 0) {
      if (length > 0) this.#oweAck()
    } else if (length > 0) this.#take(segment, -ahead)
    this.#settle(vt)
  }

  /** The next segment that goes out now; called at a grid point until there is none. */
  next(vt: Vt): TcpSegment | undefined {
    if (this.state === 'gone') return undefined
    const { timerDue } = this.#sender
    if (timerDue !== undefined && timerDue <= vt && !this.#sender.expire(vt)) this.#isBroken = true
    const segment = this.#segment(vt)
    if (segment === undefined) this.#settle(vt)
    return segment
  }

  /** Breaks the connection off. Returns what tells the guest. */
  abort(): TcpSegment {
    this.#forget()
    return this.#made(TCP_FLAG.RST | TCP_FLAG.ACK, this.#sender.sent, NOTHING)
  }

  get #canSend(): boolean {
    if (this.#isBroken || this.#acksOwed > 0 || this.#sender.hasLost) return true
    return this.#sender.sent === 0 || (this.#hasMore && this.#sender.room > 0)
  }

  get #hasMore(): boolean {
    return this.state === 'open' && this.#isServiceReady && !this.#hasEnded
  }

  get #window(): number {
    // What comes after the end is not for the service.
    const room = this.#isClosed ? MOST_WINDOW_BYTES : this.#service.room
    // What was promised is not taken back.
    return Math.max(this.#promised, Math.min(room, MOST_WINDOW_BYTES))
  }

  #segment(vt: Vt): TcpSegment | undefined {
    const sender = this.#sender
    if (this.#isBroken) return this.abort()
    if (sender.sent === 0) return this.#synAck(sender.send(TCP_FLAG.SYN, NOTHING, vt).at)
    if (this.#acksOwed > 1) return this.#made(TCP_FLAG.ACK, sender.sent, NOTHING)
    const lost = sender.resend(vt)
    if (lost !== undefined) {
      if (lost.flags & TCP_FLAG.SYN) return this.#synAck(lost.at)
      return this.#made(TCP_FLAG.ACK | lost.flags, lost.at, lost.payload)
    }
    const made = this.#hasMore && sender.room > 0 ? this.#fresh(sender.room, vt) : undefined
    if (made !== undefined) return made
    return this.#acksOwed > 0 ? this.#made(TCP_FLAG.ACK, sender.sent, NOTHING) : undefined
  }

  /** What the service has to say, if anything. */
  #fresh(room: number, vt: Vt): TcpSegment | undefined {
    const said = this.#service.read(room)
    if (said === 'later') {
      this.#isServiceReady = false
      return undefined
    }
    if (said === 'reset') return this.abort()
    assert(said === 'end' || (said.length > 0 && said.length <= room), 'a service says no more than it is asked for')
    this.#hasEnded = said === 'end'
    const { at, flags, payload } =
      said === 'end'
        ? this.#sender.send(TCP_FLAG.FIN, NOTHING, vt)
        : this.#sender.send(said.length < room ? TCP_FLAG.PSH : 0, said, vt)
    return this.#made(TCP_FLAG.ACK | flags, at, payload)
  }

  #synAck(at: number): TcpSegment {
    return {
      ...this.#made(TCP_FLAG.SYN | TCP_FLAG.ACK, at, NOTHING),
      largestSegment: MOST_SEGMENT_BYTES,
      ...(this.#windowScale !== undefined && { windowScale: 0 }),
    }
  }

  #made(flags: number, at: number, payload: Buffer): TcpSegment {
    this.#promised = this.#window
    this.#acksOwed = payload.length === 0 && flags === TCP_FLAG.ACK ? this.#acksOwed - 1 : 0
    return {
      ...this.#ports,
      sequence: (this.#firstSequence + at) >>> 0,
      acknowledgment: this.#expected,
      flags,
      window: this.#promised,
      payload,
    }
  }

  /** Takes note of what the guest has got. Returns whether it can be. */
  #acknowledged({ acknowledgment, flags, payload, window }: TcpSegment, vt: Vt): boolean {
    const sender = this.#sender
    const ack = sender.acked + ((acknowledgment - this.#firstSequence - sender.acked) | 0)
    if (ack > sender.sent) return false
    if (this.state === 'opening') {
      if (ack < 1) return false
      this.state = 'open'
    }
    // A late one tells nothing.
    if (ack < sender.acked) return true
    const isPlain = payload.length === 0 && (flags & TCP_FLAG.FIN) === 0
    sender.acknowledge(ack, ack + window * 2 ** (this.#windowScale ?? 0), isPlain, vt)
    return true
  }

  /** What comes in order, without its first `known` bytes, which came before. */
  #take({ payload, flags }: TcpSegment, known: number): void {
    const window = this.#window
    const bytes = payload.subarray(known, known + window)
    const isWhole = payload.length - known <= window
    this.#acksOwed = Math.max(this.#acksOwed, 1)
    // There is nothing after its end.
    if (this.#hasGuestEnded) return
    this.#expected = (this.#expected + bytes.length) >>> 0
    this.#promised = Math.max(0, this.#promised - bytes.length)
    if (bytes.length > 0 && !this.#isClosed) {
      this.#service.receive(bytes)
      this.#isServiceReady = true
    }
    if ((flags & TCP_FLAG.FIN) === 0 || !isWhole) return
    this.#expected = (this.#expected + 1) >>> 0
    this.#hasGuestEnded = true
    if (this.#isClosed) return
    this.#service.end()
    this.#isServiceReady = true
  }

  #oweAck(): void {
    this.#acksOwed = Math.min(this.#acksOwed + 1, MOST_ACKS_OWED)
  }

  /** Draws the conclusions: timers, and the end. */
  #settle(vt: Vt): void {
    if (this.state === 'gone' || this.state === 'opening') return
    this.#sender.settle(this.#hasMore, vt)
    const isAllSaid = this.#hasEnded && this.#sender.acked === this.#sender.sent
    if (!isAllSaid || !this.#hasGuestEnded || this.state === 'lingering') return
    this.#close()
    // Its own end may have to be acknowledged once more.
    this.state = 'lingering'
  }

  #forget(): void {
    this.#close()
    this.state = 'gone'
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#service.close()
  }
}
