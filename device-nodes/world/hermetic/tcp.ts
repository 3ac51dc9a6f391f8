/**
 * The TCP of a server: ports that services listen at, and the connections to them (RFC 9293). It only answers; it opens none.
 */
import type { Vt } from '../../../bus/mod.ts'
import type { EthernetAddress, Ipv4Address, Ipv4Packet } from './packets.ts'
import { TcpConnection, type TcpService } from './tcp-connection.ts'
import { readSegment, sequenceLength, TCP_FLAG, type TcpSegment } from './tcp-segment.ts'

/** Connections at a time. One more takes the place of one that is over, or resets the one that has been silent the longest. */
const MOST_CONNECTIONS = 64

/** A segment and where it goes. */
export interface AddressedSegment {
  to: EthernetAddress
  fromIp: Ipv4Address
  toIp: Ipv4Address
  segment: TcpSegment
}

export interface TcpOptions {
  /** What listens at a port of an address; undefined: nothing. */
  listen(ip: Ipv4Address, port: number): TcpService | undefined
  /** The first sequence number of the nth connection. Default: one that RFC 9293 3.4.1 would give, without its secret. */
  firstSequence?: (connection: number, vt: Vt) => number
}

interface Entry {
  connection: TcpConnection
  addresses: Omit<AddressedSegment, 'segment'>
}

export class Tcp {
  readonly #options: TcpOptions
  /** By addresses and ports; those that sent least lately come first. */
  readonly #entries = new Map<string, Entry>()
  #opened = 0
  #evicted = 0

  constructor(options: TcpOptions) {
    this.#options = options
  }

  /** How many connections were reset to make room for others. */
  get evicted(): number {
    return this.#evicted
  }

  get connections(): number {
    return this.#entries.size
  }

  /** From when on `next` has something. */
  get due(): Vt | undefined {
    let due: Vt | undefined
    for (const { connection } of this.#entries.values()) {
      const mine = connection.due
      if (mine !== undefined && (due === undefined || mine < due)) due = mine
    }
    return due
  }

  /** A packet has come. Returns what is answered besides what connections send by themselves: resets. */
  receive(packet: Ipv4Packet, vt: Vt): AddressedSegment[] {
    const segment = readSegment(packet)
    if (segment === undefined) return []
    const addresses = { to: packet.sender, fromIp: packet.to, toIp: packet.from }
    const key = [packet.from, segment.fromPort, packet.to, segment.toPort].join()
    const entry = this.#entries.get(key)
    const isFirst = (segment.flags & (TCP_FLAG.SYN | TCP_FLAG.ACK | TCP_FLAG.RST | TCP_FLAG.FIN)) === TCP_FLAG.SYN
    if (entry !== undefined && !(isFirst && entry.connection.state === 'lingering')) {
      entry.connection.receive(segment, vt)
      if (entry.connection.state === 'gone') this.#entries.delete(key)
      return []
    }
    const service = isFirst ? this.#options.listen(packet.to, segment.toPort) : undefined
    if (service === undefined) return refusal(segment, addresses)
    this.#entries.delete(key)
    const resets = this.#makeRoom()
    const firstSequence = this.#options.firstSequence ?? defaultFirstSequence
    const connection = new TcpConnection(service, segment, firstSequence(this.#opened++, vt) >>> 0, vt)
    this.#entries.set(key, { connection, addresses })
    return resets
  }

  /** The next segment that goes out now, of each connection in turn; called at a grid point until there is none. */
  next(vt: Vt): AddressedSegment | undefined {
    for (const [key, { connection, addresses }] of this.#entries) {
      const { due } = connection
      if (due === undefined || due > vt) continue
      const segment = connection.next(vt)
      const entry = { connection, addresses }
      if (connection.state === 'gone') this.#entries.delete(key)
      if (segment === undefined) continue
      if (connection.state !== 'gone') {
        this.#entries.delete(key)
        this.#entries.set(key, entry)
      }
      return { ...addresses, segment }
    }
    return undefined
  }

  #makeRoom(): AddressedSegment[] {
    if (this.#entries.size < MOST_CONNECTIONS) return []
    const isOver = ({ connection }: Entry) => connection.state === 'lingering'
    const [[key, entry]] = [...this.#entries].sort(
      ([, a], [, b]) => Number(isOver(b)) - Number(isOver(a)) || a.connection.heardVt - b.connection.heardVt,
    ) as [[string, Entry]]
    this.#entries.delete(key)
    if (isOver(entry)) return []
    this.#evicted++
    return [{ ...entry.addresses, segment: entry.connection.abort() }]
  }
}

/** What is answered to a segment of no connection: a reset that its sender believes (RFC 9293 3.5.2). */
function refusal(segment: TcpSegment, addresses: Omit<AddressedSegment, 'segment'>): AddressedSegment[] {
  const { fromPort, toPort, sequence, acknowledgment, flags } = segment
  if (flags & TCP_FLAG.RST) return []
  const hasAck = (flags & TCP_FLAG.ACK) !== 0
  const reset: TcpSegment = {
    fromPort: toPort,
    toPort: fromPort,
    sequence: hasAck ? acknowledgment : 0,
    acknowledgment: hasAck ? 0 : (sequence + sequenceLength(segment)) >>> 0,
    flags: hasAck ? TCP_FLAG.RST : TCP_FLAG.RST | TCP_FLAG.ACK,
    window: 0,
    payload: Buffer.alloc(0),
  }
  return [{ ...addresses, segment: reset }]
}

/** A clock of 4 µs, and some more for each connection. */
function defaultFirstSequence(connection: number, vt: Vt): number {
  return (Math.floor(vt / 4000) + connection * 64_000) % 2 ** 32
}
