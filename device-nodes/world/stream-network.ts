/**
 * A network at the other end of a stream socket: frames behind their lengths, as `framing.ts` has them. What comes from there
 * is input from the world; that the connection ends and another comes is the card's link going down and up.
 */
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Moment, type NodeName, type Vt, WORLD, type WorldInput } from '../../bus/mod.ts'
import { linkInput } from '../ethernet/mod.ts'
import { FrameReader, framed } from './framing.ts'
import type { HostNetwork, NetworkHost } from './network.ts'
import { PacedQueue } from './pacing.ts'
import type { Peer, PeerSource } from './peers.ts'

/**
 * Frames that enter at one grid point: half of what the wire carries. Peers without congestion control (passt, to its guest) send as much
 * as gets through, and a guest that is given more than it can handle loses some of it, over and over.
 */
const FRAMES_PER_POINT = 16
/** Frames that wait for the card. With this many the socket is not read, so that the other side waits: more than a TCP window. */
const ENOUGH_FRAMES = 3072
/** What is read at once, 64 KiB, may have more of them, up to here; more than that are lost. */
const MOST_FRAMES = 8192
/** Bytes that wait for the other side. With more of them frames that the card sends are lost. */
const MOST_UNSENT_BYTES = 1 << 20
/** How long the other side has at the end to take what waits for it, in milliseconds. */
const LAST_MS = 500

export interface StreamNetworkOptions extends NetworkHost {
  /** The device whose frames it hears, and that it sends frames to. */
  card: NodeName
  peers: PeerSource
}

/** How many frames were lost, and why. */
interface Losses {
  tooLong: number
  tooShort: number
  /** More came at once than may wait. */
  crowded: number
  /** They waited still when a second connection had ended. */
  late: number
  /** The other side did not take them. */
  unsent: number
  /** The card sent them while there was no connection. */
  unconnected: number
}

const REASONS: Readonly<Record<keyof Losses, string>> = {
  tooLong: 'came longer than a frame of Ethernet',
  tooShort: 'came shorter than a header',
  crowded: 'came when too many waited',
  late: 'waited when the connection had ended',
  unsent: 'were not taken by the other side',
  unconnected: 'were sent without a connection',
}

export class StreamNetwork implements HostNetwork {
  readonly kind = 'host'
  readonly #options: StreamNetworkOptions
  readonly #losses: Losses = { tooLong: 0, tooShort: 0, crowded: 0, late: 0, unsent: 0, unconnected: 0 }
  #connection: Connection | undefined
  /** One that has ended, of which frames may still wait. Then the link goes down. */
  #ended: Connection | undefined
  /** What the card was told last; at power-on its link is up. */
  #linkIsUp = true
  #isClosed = false
  /** Ends and new beginnings are told once each: the other side decides how many there are. */
  #toldEnd = false
  #toldBeginning = false

  constructor(options: StreamNetworkOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#options.peers.start((peer) => this.#begin(peer))
  }

  /** Whether the other side may still bring something. */
  get open(): boolean {
    return this.#connection !== undefined || this.#options.peers.open
  }

  get losses(): string | undefined {
    const found = Object.entries(REASONS).flatMap(([reason, text]) => {
      const count = this.#losses[reason as keyof Losses]
      return count === 0 ? [] : [{ count, text }]
    })
    if (found.length === 0) return undefined
    const total = found.reduce((sum, { count }) => sum + count, 0)
    const each = found.map(({ count, text }) => `${count} ${text}`).join(', ')
    return `network: ${total} ${total === 1 ? 'frame' : 'frames'} dropped: ${each}`
  }

  /** An `OutputListener`, for outputs that may leave. */
  readonly hear = (src: NodeName, bytes: Uint8Array): void => {
    if (src !== this.#options.card) return
    if (this.#connection === undefined) this.#losses.unconnected++
    else if (!this.#connection.send(bytes)) this.#losses.unsent++
  }

  waiting(now: Vt): Moment | undefined {
    const { length } = (this.#ended ?? this.#connection)?.frames ?? { length: 0 }
    const isUp = this.#ended === undefined && this.#connection !== undefined
    return length > 0 || isUp !== this.#linkIsUp ? { icount: 0, vt: now } : undefined
  }

  take(): WorldInput[] {
    const inputs: Uint8Array[] = []
    if (this.#ended !== undefined) {
      // The new connection's turn comes at the next grid point: a link that was down has been seen to be.
      inputs.push(...this.#ended.take())
      if (this.#ended.frames.length === 0) {
        this.#ended = undefined
        if (this.#linkIsUp) inputs.push(linkInput(false))
        this.#linkIsUp = false
      }
    } else {
      const isUp = this.#connection !== undefined
      if (isUp !== this.#linkIsUp) inputs.push(linkInput(isUp))
      this.#linkIsUp = isUp
      if (this.#connection !== undefined) inputs.push(...this.#connection.take())
    }
    return inputs.map((bytes) => ({ src: WORLD, dst: this.#options.card, bytes }))
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#connection?.finish()
    await this.#options.peers.close()
  }

  #begin(peer: Peer): void {
    if (this.#connection !== undefined || this.#isClosed) {
      peer.socket.destroy()
      return
    }
    const isReturn = this.#toldEnd && !this.#toldBeginning
    if (isReturn) {
      this.#toldBeginning = true
      this.#options.note(`network: ${peer.name} is there again; the guest's link is up`)
    }
    const connection = new Connection(peer, this.#losses, {
      onFrames: this.#options.onInput,
      onEnd: (why) => this.#end(connection, why),
    })
    this.#connection = connection
    this.#options.onInput()
  }

  #end(connection: Connection, why: string): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#losses.late += this.#ended?.frames.length ?? 0
    this.#ended = connection
    this.#options.onInput()
    if (this.#isClosed) return
    const told = this.#options.peers.ended(why)
    if (this.#toldEnd) return
    this.#toldEnd = true
    void told.then((reason) => this.#options.note(`network: ${reason}; the guest's link is down`))
  }
}

/** One connection, and the frames that came by it. */
class Connection {
  readonly frames = new PacedQueue({
    mostFrames: MOST_FRAMES,
    overflow: 'dropNewest',
    mostPerPoint: FRAMES_PER_POINT,
  })
  readonly #socket: Duplex
  readonly #losses: Losses
  readonly #reader = new FrameReader()
  #isCorked = false

  constructor(
    { socket, name }: Peer,
    losses: Losses,
    { onFrames, onEnd }: { onFrames: () => void; onEnd: (why: string) => void },
  ) {
    this.#socket = socket
    this.#losses = losses
    let why = `${name} closed the connection`
    socket.on('data', (chunk: Uint8Array) => {
      this.#receive(chunk)
      if (this.#reader.isOutOfStep) {
        why = `${name} sent what are no frames, so its connection was closed`
        socket.destroy()
      }
      if (this.frames.length > 0) onFrames()
    })
    socket.on('error', (error) => {
      why = `the connection to ${name} failed (${error.message})`
    })
    // Nothing that waits for a side that sends no more will be taken.
    socket.on('end', () => socket.destroy())
    socket.on('close', () => onEnd(why))
    socket.resume()
  }

  /** False: the other side does not take what it is sent, and the frame is lost. */
  send(frame: Uint8Array): boolean {
    const socket = this.#socket
    if (!socket.writable || socket.writableLength + frame.length > MOST_UNSENT_BYTES) return false
    if (!this.#isCorked) {
      this.#isCorked = true
      socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        socket.uncork()
      })
    }
    socket.write(framed(frame))
    return true
  }

  /** The frames that enter at one grid point. */
  take(): Uint8Array[] {
    const frames = this.frames.take()
    if (this.frames.length < ENOUGH_FRAMES && this.#socket.isPaused()) this.#socket.resume()
    return frames
  }

  /** Ends it, when what waits has been taken or `LAST_MS` are over. */
  async finish(): Promise<void> {
    const socket = this.#socket
    const controller = new AbortController()
    const { signal } = controller
    const isOver = sleep(LAST_MS, undefined, { signal }).catch(() => {})
    await Promise.race([isOver, new Promise<void>((resolve) => socket.end(resolve).once('close', resolve))])
    controller.abort()
    socket.destroy()
  }

  #receive(chunk: Uint8Array): void {
    const { tooLong, tooShort } = this.#reader
    const { dropped } = this.frames
    for (const frame of this.#reader.read(chunk)) this.frames.push(frame, 0)
    this.#losses.tooLong += this.#reader.tooLong - tooLong
    this.#losses.tooShort += this.#reader.tooShort - tooShort
    this.#losses.crowded += this.frames.dropped - dropped
    if (this.frames.length >= ENOUGH_FRAMES) this.#socket.pause()
  }
}
