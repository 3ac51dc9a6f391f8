/**
 * A network without a world: one guest, and a server that answers it the same each time. Like an input script it is a deterministic
 * source of inputs: it hears frames at their virtual times, and answers at the next grid point.
 *
 *   10.0.2.2    the server and router, `server` in `hermetic.test`
 *   10.0.2.3    its name server
 *   10.0.2.15   the guest, by DHCP
 *
 * It answers ARP, ICMP echo, DHCP and DNS, and, given files, HTTP (port 80) and TFTP (port 69) at the server. TCP connections to other
 * ports are refused; whatever else is sent elsewhere is lost.
 */
import { AUTHORITATIVE_ANSWER, decode, encode } from 'dns-packet'
import { type Moment, type NodeName, SCRIPT, type Vt, type WorldInput } from '../../../bus/mod.ts'
import type { ScriptedNetwork } from '../network.ts'
import { PacedQueue } from '../pacing.ts'
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT, dhcpReply, type Lease } from './dhcp.ts'
import { HttpService } from './http.ts'
import {
  arpReply,
  datagram,
  type EthernetAddress,
  echoReply,
  type Ipv4Address,
  type Ipv4Packet,
  ipv4Frame,
  PROTOCOL,
  readDatagram,
  readFrame,
} from './packets.ts'
import type { ServedFiles } from './served-files.ts'
import { type AddressedSegment, Tcp, type TcpOptions } from './tcp.ts'
import { writeSegment } from './tcp-segment.ts'
import { type AddressedDatagram, Tftp } from './tftp.ts'

const address = (a: number, b: number, c: number, d: number): Ipv4Address =>
  ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
const SERVER = address(10, 0, 2, 2)
const NAME_SERVER = address(10, 0, 2, 3)
const GUEST = address(10, 0, 2, 15)
const EVERYBODY = 0xffff_ffff

const LEASE: Lease = {
  address: GUEST,
  mask: address(255, 255, 255, 0),
  server: SERVER,
  router: SERVER,
  dns: NAME_SERVER,
  seconds: 86_400,
  hostName: 'guest',
}

const SERVER_ETHERNET: EthernetAddress = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2)
const DNS_PORT = 53
const HTTP_PORT = 80
const DNS_SECONDS = 3600
const NAME_ERROR = 3
const NAMES: ReadonlyMap<string, string> = new Map([
  ['server.hermetic.test', '10.0.2.2'],
  ['dns.hermetic.test', '10.0.2.3'],
  ['guest.hermetic.test', '10.0.2.15'],
])

/**
 * Answers that wait for a grid point: with more of them the oldest are lost, as in any queue of a network. What TCP and TFTP send waits
 * with them, until there is room for it.
 */
const MOST_WAITING = 1024

export interface HermeticOptions {
  /** What HTTP and TFTP give out; without it neither is there. */
  files?: ServedFiles
  /** Default: that of `Tcp`. */
  firstSequence?: TcpOptions['firstSequence']
}

export class HermeticNetwork implements ScriptedNetwork {
  readonly kind = 'scripted'
  /** It never waits for the host. */
  readonly open = false
  readonly tcp: Tcp
  readonly tftp: Tftp | undefined
  readonly #card: NodeName
  readonly #answers = new PacedQueue({ mostFrames: MOST_WAITING, overflow: 'dropOldest' })

  /** @param card the device whose frames it hears, and that it sends frames to */
  constructor(card: NodeName, { files, firstSequence }: HermeticOptions = {}) {
    this.#card = card
    this.tftp = files && new Tftp(files)
    this.tcp = new Tcp({
      listen: (ip, port) =>
        files !== undefined && ip === SERVER && port === HTTP_PORT ? new HttpService(files) : undefined,
      ...(firstSequence !== undefined && { firstSequence }),
    })
  }

  /** How many answers were lost because too many waited. */
  get dropped(): number {
    return this.#answers.dropped
  }

  get losses(): string | undefined {
    const found = [
      counted(this.dropped, 'frame', 'dropped when too many waited'),
      counted(this.tcp.evicted, 'TCP connection', 'reset to make room for others'),
    ].filter((text) => text !== undefined)
    return found.length === 0 ? undefined : `network: ${found.join(', ')}`
  }

  /** An `OutputListener`. */
  readonly hear = (src: NodeName, bytes: Uint8Array, vt: Vt): void => {
    if (src !== this.#card) return
    for (const answer of this.#answer(bytes, vt)) this.#answers.push(answer, vt)
  }

  waiting(): Moment | undefined {
    const times = [this.#answers.waitingSince, this.tcp.due, this.tftp?.due].filter((vt) => vt !== undefined)
    return times.length === 0 ? undefined : { icount: 0, vt: Math.min(...times) }
  }

  take(vt: Vt): WorldInput[] {
    return this.#answers.take(() => this.#next(vt)).map((bytes) => ({ src: SCRIPT, dst: this.#card, bytes }))
  }

  #next(vt: Vt): Uint8Array | undefined {
    const segment = this.tcp.next(vt)
    if (segment !== undefined) return segmentFrame(segment)
    const message = this.tftp?.next(vt)
    return message && datagramFrame(message)
  }

  #answer(bytes: Uint8Array, vt: Vt): Uint8Array[] {
    const packet = readFrame(bytes)
    if (packet === undefined) return []
    if (packet.kind === 'arp') return isHere(packet.targetIp) ? [arpReply(packet, SERVER_ETHERNET)] : []
    if (packet.protocol === PROTOCOL.UDP) return this.#udp(packet, vt)
    if (!isHere(packet.to)) return []
    if (packet.protocol === PROTOCOL.TCP) return this.tcp.receive(packet, vt).map(segmentFrame)
    const reply = packet.protocol === PROTOCOL.ICMP ? echoReply(packet.payload) : undefined
    return reply === undefined ? [] : [this.#reply(packet, PROTOCOL.ICMP, reply)]
  }

  #udp(packet: Ipv4Packet, vt: Vt): Uint8Array[] {
    const received = readDatagram(packet)
    if (received === undefined) return []
    const { fromPort, toPort, payload } = received
    if (toPort === DHCP_SERVER_PORT && (packet.to === EVERYBODY || packet.to === SERVER)) return this.#dhcp(payload)
    if (packet.to === SERVER && this.tftp !== undefined) {
      const correspondent = { ethernet: packet.sender, ip: packet.from, serverIp: packet.to }
      const answers = this.tftp.receive(received, correspondent, vt)
      if (answers !== undefined) return answers.map(datagramFrame)
    }
    if (toPort !== DNS_PORT || !isHere(packet.to)) return []
    const answer = dnsAnswer(payload)
    if (answer === undefined) return []
    const sent = datagram(packet.to, packet.from, { fromPort: toPort, toPort: fromPort, payload: answer })
    return [this.#reply(packet, PROTOCOL.UDP, sent)]
  }

  #dhcp(request: Buffer): Uint8Array[] {
    const answered = dhcpReply(request, LEASE)
    if (answered === undefined) return []
    const { client, reply } = answered
    // A client without an address hears what is for everybody.
    const sent = datagram(SERVER, EVERYBODY, { fromPort: DHCP_SERVER_PORT, toPort: DHCP_CLIENT_PORT, payload: reply })
    const addresses = { from: SERVER_ETHERNET, to: client, fromIp: SERVER, toIp: EVERYBODY }
    return [ipv4Frame(addresses, PROTOCOL.UDP, sent)]
  }

  #reply({ sender, from, to }: Ipv4Packet, protocol: number, payload: Uint8Array): Uint8Array {
    return ipv4Frame({ from: SERVER_ETHERNET, to: sender, fromIp: to, toIp: from }, protocol, payload)
  }
}

function counted(count: number, what: string, fate: string): string | undefined {
  return count === 0 ? undefined : `${count} ${what}${count === 1 ? '' : 's'} ${fate}`
}

function segmentFrame({ to, fromIp, toIp, segment }: AddressedSegment): Uint8Array {
  return ipv4Frame({ from: SERVER_ETHERNET, to, fromIp, toIp }, PROTOCOL.TCP, writeSegment(fromIp, toIp, segment))
}

function datagramFrame({ ethernet, ip, serverIp, datagram: sent }: AddressedDatagram): Uint8Array {
  const addresses = { from: SERVER_ETHERNET, to: ethernet, fromIp: serverIp, toIp: ip }
  return ipv4Frame(addresses, PROTOCOL.UDP, datagram(serverIp, ip, sent))
}

function isHere(ip: Ipv4Address): boolean {
  return ip === SERVER || ip === NAME_SERVER
}

/** Names that there are, with their addresses; for the others, that there is no such name. Undefined for what is no query. */
function dnsAnswer(query: Buffer): Buffer | undefined {
  let questions: ReturnType<typeof decode>['questions']
  let id: number | undefined
  try {
    const packet = decode(query)
    if (packet.type !== 'query') return undefined
    questions = packet.questions
    id = packet.id
  } catch {
    // A guest may send anything; what cannot be read gets no answer.
    return undefined
  }
  const [question] = questions ?? []
  if (question === undefined) return undefined
  const found = NAMES.get(question.name.toLowerCase())
  const answers =
    found !== undefined && question.type === 'A'
      ? [{ type: 'A' as const, name: question.name, ttl: DNS_SECONDS, data: found }]
      : []
  const flags = AUTHORITATIVE_ANSWER | (found === undefined ? NAME_ERROR : 0)
  return encode({ type: 'response', flags, questions: [question], answers, ...(id !== undefined && { id }) })
}
