/**
 * A guest that is a script, for tests of the hermetic network: its clients of TCP and UDP, and files that are not on the host.
 */
import assert from 'node:assert/strict'
import { HermeticNetwork, type HermeticOptions } from './hermetic.ts'
import { datagram, type Ipv4Packet, ipv4Frame, PROTOCOL, readDatagram, readFrame } from './packets.ts'
import type { Found, ServedFile, ServedFiles } from './served-files.ts'
import { readSegment, sequenceLength, TCP_FLAG, type TcpSegment, writeSegment } from './tcp-segment.ts'

const GUEST = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3)
const SERVER = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2)
export const GUEST_IP = 0x0a00020f
export const SERVER_IP = 0x0a000202
export const GRID_NS = 4_000_000
const CARD = 'nic0'
const NOTHING = Buffer.alloc(0)

/** Bytes that differ from place to place. */
export function patterned(bytes: number): Buffer {
  const pattern = Buffer.alloc(bytes)
  for (let i = 0; i < bytes; i++) pattern[i] = (i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xff
  return pattern
}

/** Files by their paths, in memory. */
export class FakeFiles implements ServedFiles {
  readonly contents: Map<string, Buffer>
  modifiedSeconds = 1_700_000_000
  /** How many are open now, and were at most. */
  open = 0
  mostOpen = 0
  reads = 0
  /** Whether files are no longer what they were when they were opened. */
  hasChanged = false

  constructor(contents: Readonly<Record<string, string | Buffer>>) {
    this.contents = new Map(Object.entries(contents).map(([path, bytes]) => [path, Buffer.from(bytes as Buffer)]))
  }

  find(names: readonly string[]): Found {
    const path = names.join('/')
    const bytes = this.contents.get(path)
    if (bytes !== undefined) return { kind: 'file', file: this.#opened(bytes) }
    if (path === 'secret') return { kind: 'forbidden' }
    const prefix = path === '' ? '' : `${path}/`
    const inside = [...this.contents.keys()].filter((name) => name.startsWith(prefix))
    if (inside.length === 0) return { kind: 'missing' }
    const list = () => {
      const all = inside.map((name) => name.slice(prefix.length).split('/'))
      const entries = new Map(all.map(([first = '', ...rest]) => [first, rest.length > 0]))
      return [...entries].map(([name, isDirectory]) => ({ name, isDirectory }))
    }
    return { kind: 'directory', list }
  }

  #opened(bytes: Buffer): ServedFile {
    this.mostOpen = Math.max(this.mostOpen, ++this.open)
    let isOpen = true
    return {
      bytes: bytes.length,
      modifiedSeconds: this.modifiedSeconds,
      read: (offset, length) => {
        assert(isOpen && offset + length <= bytes.length, 'only what is there is read')
        this.reads++
        return this.hasChanged ? undefined : Buffer.from(bytes.subarray(offset, offset + length))
      },
      close: () => {
        assert(isOpen, 'a file is closed once')
        isOpen = false
        this.open--
      },
    }
  }
}

/** The wire, seen by a guest: what it sends is heard at once, what it gets comes at grid points. */
export class Wire {
  readonly network: HermeticNetwork
  vt = 1
  /** At how many points something came. */
  points = 0
  /** The most frames that came at one. */
  mostFrames = 0

  constructor(options: HermeticOptions) {
    this.network = new HermeticNetwork(CARD, options)
  }

  send(protocol: number, payload: Uint8Array, toIp = SERVER_IP): void {
    this.vt += 1000
    this.network.hear(CARD, ipv4Frame({ from: GUEST, to: SERVER, fromIp: GUEST_IP, toIp }, protocol, payload), this.vt)
  }

  sendDatagram(fromPort: number, toPort: number, payload: Uint8Array): void {
    const message = { fromPort, toPort, payload: Buffer.from(payload) }
    this.send(PROTOCOL.UDP, datagram(GUEST_IP, SERVER_IP, message))
  }

  /** Lets time pass to the next point that the network waits for. Undefined: to none. */
  step(): Ipv4Packet[] | undefined {
    const moment = this.network.waiting()
    if (moment === undefined) return undefined
    this.vt = Math.max(Math.ceil(moment.vt / GRID_NS), Math.floor(this.vt / GRID_NS) + 1) * GRID_NS
    const inputs = this.network.take(this.vt)
    this.points++
    this.mostFrames = Math.max(this.mostFrames, inputs.length)
    return inputs.map(({ bytes }) => {
      const packet = readFrame(bytes)
      assert(packet?.kind === 'ipv4', 'a network of these tests sends IPv4 alone')
      return packet
    })
  }

  /** Until nothing is waited for; what each point brings goes to `receive`. */
  run(receive: (packet: Ipv4Packet) => void, mostPoints = 100_000): void {
    for (let point = 0; ; point++) {
      assert(point < mostPoints, 'the network comes to rest')
      const packets = this.step()
      if (packets === undefined) return
      for (const packet of packets) receive(packet)
    }
  }

  /** The payloads of the datagrams that come until nothing is waited for, with the ports that they are from. */
  datagrams(): { fromPort: number; payload: Buffer }[] {
    const received: { fromPort: number; payload: Buffer }[] = []
    this.run((packet) => {
      const message = readDatagram(packet)
      assert(message !== undefined)
      received.push(message)
    })
    return received
  }
}

export interface TcpClientOptions {
  fromPort?: number
  toPort?: number
  sequence?: number
  largestSegment?: number
  windowScale?: number
  /** As it is in a header. Default: all that there can be. */
  window?: number
}

/** One end of a connection, which acknowledges what it gets in order and keeps what comes early. */
export class TcpClient {
  /** Every segment that came, lost ones left out. */
  readonly segments: TcpSegment[] = []
  /** Of data, in order. */
  received: Buffer = NOTHING
  /** The next sequence number to send, and the next one to get. */
  sequence: number
  expected = 0
  window: number
  hasEnded = false
  wasReset = false
  /** Whether a segment to the guest is lost; `count` is its number. */
  loses: (segment: TcpSegment, count: number) => boolean = () => false
  /** Whether it answers by itself. */
  acknowledges = true
  readonly #wire: Wire
  readonly #options: TcpClientOptions
  readonly #parts: Buffer[] = []
  readonly #early = new Map<number, TcpSegment>()
  #count = 0

  constructor(wire: Wire, options: TcpClientOptions = {}) {
    this.#wire = wire
    this.#options = options
    this.sequence = options.sequence ?? 1000
    this.window = options.window ?? 0xffff
  }

  get ports(): { fromPort: number; toPort: number } {
    const { fromPort = 40_000, toPort = 80 } = this.#options
    return { fromPort, toPort }
  }

  /** Sends a segment, its sequence number following the last unless told otherwise. */
  send(flags: number, payload: string | Buffer = NOTHING, given: Partial<TcpSegment> = {}): void {
    const { largestSegment, windowScale } = this.#options
    const isSyn = (flags & TCP_FLAG.SYN) !== 0
    const segment: TcpSegment = {
      ...this.ports,
      sequence: this.sequence,
      acknowledgment: flags & TCP_FLAG.ACK ? this.expected : 0,
      flags,
      window: this.window,
      payload: Buffer.from(payload as Buffer),
      ...(isSyn && largestSegment !== undefined && { largestSegment }),
      ...(isSyn && windowScale !== undefined && { windowScale }),
      ...given,
    }
    if (given.sequence === undefined) this.sequence = (this.sequence + sequenceLength(segment)) >>> 0
    this.#wire.send(PROTOCOL.TCP, writeSegment(GUEST_IP, SERVER_IP, segment))
  }

  /** Opens the connection and returns the answer to its first segment. */
  connect(): TcpSegment {
    this.send(TCP_FLAG.SYN)
    this.#wire.run((packet) => this.receive(packet))
    const [answer] = this.segments
    assert(answer !== undefined, 'there was an answer')
    return answer
  }

  /** Sends what it is given, and goes on until the network waits for nothing more. Returns all that was received. */
  ask(request: string): Buffer {
    this.send(TCP_FLAG.ACK | TCP_FLAG.PSH, request)
    return this.run()
  }

  run(mostPoints?: number): Buffer {
    this.#wire.run((packet) => this.receive(packet), mostPoints)
    return this.gather()
  }

  gather(): Buffer {
    this.received = Buffer.concat([this.received, ...this.#parts.splice(0)])
    return this.received
  }

  /** A packet that may be for this client. */
  receive(packet: Ipv4Packet): void {
    const segment = readSegment(packet)
    assert(segment !== undefined, 'what the server sends is whole')
    if (segment.toPort !== this.ports.fromPort || this.loses(segment, this.#count++)) return
    this.segments.push(segment)
    if (segment.flags & TCP_FLAG.RST) {
      this.wasReset = true
      return
    }
    const isSyn = (segment.flags & TCP_FLAG.SYN) !== 0
    if (isSyn) this.expected = segment.sequence
    if (sequenceLength(segment) === 0) return
    if (((segment.sequence - this.expected) | 0) > 0) this.#early.set(segment.sequence, segment)
    else if (segment.sequence === this.expected) this.#take(segment)
    for (let next = this.#next(); next !== undefined; next = this.#next()) this.#take(next)
    if (this.acknowledges) this.send(TCP_FLAG.ACK)
  }

  #next(): TcpSegment | undefined {
    const next = this.#early.get(this.expected)
    this.#early.delete(this.expected)
    return next
  }

  #take(segment: TcpSegment): void {
    this.expected = (this.expected + sequenceLength(segment)) >>> 0
    this.#parts.push(segment.payload)
    if (segment.flags & TCP_FLAG.FIN) this.hasEnded = true
  }
}
