/**
 * A network without a world: one guest, and a server that answers it the same each time. Like an input script it is a deterministic
 * source of inputs: it hears frames at their virtual times, and answers at the next grid point.
 *
 *   10.0.2.2    the server and router, `server` in `hermetic.test`
 *   10.0.2.3    its name server
 *   10.0.2.15   the guest, by DHCP
 *
 * It answers ARP, ICMP echo, DHCP and DNS. Whatever is sent elsewhere is lost.
 */
import { AUTHORITATIVE_ANSWER, decode, encode } from 'dns-packet'
import { type Moment, type NodeName, SCRIPT, type Vt, type WorldInput, type WorldSource } from '../../../bus/mod.ts'
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT, dhcpReply, type Lease } from './dhcp.ts'
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
const DNS_SECONDS = 3600
const NAME_ERROR = 3
const NAMES: ReadonlyMap<string, string> = new Map([
  ['server.hermetic.test', '10.0.2.2'],
  ['dns.hermetic.test', '10.0.2.3'],
  ['guest.hermetic.test', '10.0.2.15'],
])

/** Answers that wait for a grid point: with more of them the oldest are lost, as in any queue of a network. */
const MOST_WAITING = 1024

export class HermeticNetwork implements WorldSource {
  /** It never waits for the host. */
  readonly open = false
  readonly #card: NodeName
  readonly #waiting: { vt: Vt; bytes: Uint8Array }[] = []

  /** @param card the device whose frames it hears, and that it sends frames to */
  constructor(card: NodeName) {
    this.#card = card
  }

  /** An `OutputListener`. */
  readonly hear = (src: NodeName, bytes: Uint8Array, vt: Vt): void => {
    if (src !== this.#card) return
    const answer = this.#answer(bytes)
    if (answer === undefined) return
    this.#waiting.push({ vt, bytes: answer })
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift()
  }

  waiting(): Moment | undefined {
    const [first] = this.#waiting
    return first && { icount: 0, vt: first.vt }
  }

  take(): WorldInput[] {
    return this.#waiting.splice(0).map(({ bytes }) => ({ src: SCRIPT, dst: this.#card, bytes }))
  }

  #answer(bytes: Uint8Array): Uint8Array | undefined {
    const packet = readFrame(bytes)
    if (packet === undefined) return undefined
    if (packet.kind === 'arp') return isHere(packet.targetIp) ? arpReply(packet, SERVER_ETHERNET) : undefined
    if (packet.protocol === PROTOCOL.UDP) return this.#udp(packet)
    if (packet.protocol !== PROTOCOL.ICMP || !isHere(packet.to)) return undefined
    const reply = echoReply(packet.payload)
    return reply && this.#reply(packet, PROTOCOL.ICMP, reply)
  }

  #udp(packet: Ipv4Packet): Uint8Array | undefined {
    const received = readDatagram(packet)
    if (received === undefined) return undefined
    const { fromPort, toPort, payload } = received
    if (toPort === DHCP_SERVER_PORT && (packet.to === EVERYBODY || packet.to === SERVER)) return this.#dhcp(payload)
    if (toPort !== DNS_PORT || !isHere(packet.to)) return undefined
    const answer = dnsAnswer(payload)
    if (answer === undefined) return undefined
    const sent = datagram(packet.to, packet.from, { fromPort: toPort, toPort: fromPort, payload: answer })
    return this.#reply(packet, PROTOCOL.UDP, sent)
  }

  #dhcp(request: Buffer): Uint8Array | undefined {
    const answered = dhcpReply(request, LEASE)
    if (answered === undefined) return undefined
    const { client, reply } = answered
    // A client without an address hears what is for everybody.
    const sent = datagram(SERVER, EVERYBODY, { fromPort: DHCP_SERVER_PORT, toPort: DHCP_CLIENT_PORT, payload: reply })
    const addresses = { from: SERVER_ETHERNET, to: client, fromIp: SERVER, toIp: EVERYBODY }
    return ipv4Frame(addresses, PROTOCOL.UDP, sent)
  }

  #reply({ sender, from, to }: Ipv4Packet, protocol: number, payload: Uint8Array): Uint8Array {
    return ipv4Frame({ from: SERVER_ETHERNET, to: sender, fromIp: to, toIp: from }, protocol, payload)
  }
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
