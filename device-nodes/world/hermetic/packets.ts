/**
 * The packets of a small network, read and made: Ethernet II, ARP (RFC 826), IPv4 (RFC 791) without options and fragments, ICMP echo
 * (RFC 792) and UDP (RFC 768). `tcp-segment.ts` has TCP's.
 */

/** Six bytes, and four. */
export type EthernetAddress = Uint8Array
export type Ipv4Address = number

const ETHERNET_HEADER_BYTES = 14
const TYPE = { IPV4: 0x0800, ARP: 0x0806 } as const
const ARP_BYTES = 28
const ARP_REQUEST = 1
const ARP_REPLY = 2
const IPV4_HEADER_BYTES = 20
const TIME_TO_LIVE = 64
const UDP_HEADER_BYTES = 8
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const
const ICMP_ECHO = 8

export interface ArpRequest {
  kind: 'arp'
  sender: EthernetAddress
  senderIp: Ipv4Address
  targetIp: Ipv4Address
}

export interface Ipv4Packet {
  kind: 'ipv4'
  /** Who sent the frame. */
  sender: EthernetAddress
  from: Ipv4Address
  to: Ipv4Address
  protocol: number
  payload: Buffer
}

export interface Datagram {
  fromPort: number
  toPort: number
  payload: Buffer
}

/** What a frame carries; undefined for what is neither of these, or is damaged. */
export function readFrame(bytes: Uint8Array): ArpRequest | Ipv4Packet | undefined {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (frame.length < ETHERNET_HEADER_BYTES) return undefined
  const sender = Uint8Array.from(frame.subarray(6, 12))
  const payload = frame.subarray(ETHERNET_HEADER_BYTES)
  const type = frame.readUInt16BE(12)
  if (type === TYPE.ARP) return readArp(payload)
  return type === TYPE.IPV4 ? readIpv4(sender, payload) : undefined
}

function readArp(packet: Buffer): ArpRequest | undefined {
  const isRequest =
    packet.length >= ARP_BYTES &&
    packet.readUInt32BE(0) === 0x00010800 &&
    packet.readUInt32BE(4) === 0x06040000 + ARP_REQUEST
  if (!isRequest) return undefined
  return {
    kind: 'arp',
    sender: Uint8Array.from(packet.subarray(8, 14)),
    senderIp: packet.readUInt32BE(14),
    targetIp: packet.readUInt32BE(24),
  }
}

function readIpv4(sender: EthernetAddress, packet: Buffer): Ipv4Packet | undefined {
  if (packet.length < IPV4_HEADER_BYTES || packet[0]! >> 4 !== 4) return undefined
  const headerBytes = 4 * (packet[0]! & 15)
  const bytes = packet.readUInt16BE(2)
  const isFragment = (packet.readUInt16BE(6) & 0x3fff) !== 0
  if (headerBytes < IPV4_HEADER_BYTES || bytes < headerBytes || bytes > packet.length || isFragment) return undefined
  if (checksum(packet.subarray(0, headerBytes)) !== 0) return undefined
  return {
    kind: 'ipv4',
    sender,
    from: packet.readUInt32BE(12),
    to: packet.readUInt32BE(16),
    protocol: packet[9]!,
    payload: packet.subarray(headerBytes, bytes),
  }
}

/** The answer to who asks for an address. */
export function arpReply({ sender, senderIp, targetIp }: ArpRequest, owner: EthernetAddress): Uint8Array {
  const packet = Buffer.alloc(ARP_BYTES)
  packet.writeUInt32BE(0x00010800, 0)
  packet.writeUInt32BE(0x06040000 + ARP_REPLY, 4)
  packet.set(owner, 8)
  packet.writeUInt32BE(targetIp, 14)
  packet.set(sender, 18)
  packet.writeUInt32BE(senderIp, 24)
  return ethernet(owner, sender, TYPE.ARP, packet)
}

export function ipv4Frame(
  addresses: { from: EthernetAddress; to: EthernetAddress; fromIp: Ipv4Address; toIp: Ipv4Address },
  protocol: number,
  payload: Uint8Array,
): Uint8Array {
  const packet = Buffer.alloc(IPV4_HEADER_BYTES + payload.length)
  packet[0] = 0x45
  packet.writeUInt16BE(packet.length, 2)
  // It is never cut.
  packet.writeUInt16BE(0x4000, 6)
  packet[8] = TIME_TO_LIVE
  packet[9] = protocol
  packet.writeUInt32BE(addresses.fromIp, 12)
  packet.writeUInt32BE(addresses.toIp, 16)
  packet.writeUInt16BE(checksum(packet.subarray(0, IPV4_HEADER_BYTES)), 10)
  packet.set(payload, IPV4_HEADER_BYTES)
  return ethernet(addresses.from, addresses.to, TYPE.IPV4, packet)
}

/** The reply to an echo; undefined for other messages, and damaged ones. */
export function echoReply(message: Buffer): Uint8Array | undefined {
  if (message.length < 8 || message[0] !== ICMP_ECHO || checksum(message) !== 0) return undefined
  const reply = Buffer.from(message)
  reply[0] = 0
  reply.writeUInt16BE(0, 2)
  reply.writeUInt16BE(checksum(reply), 2)
  return reply
}

/** Undefined for one that is damaged. */
export function readDatagram({ from, to, payload }: Ipv4Packet): Datagram | undefined {
  if (payload.length < UDP_HEADER_BYTES) return undefined
  const bytes = payload.readUInt16BE(4)
  if (bytes < UDP_HEADER_BYTES || bytes > payload.length) return undefined
  const datagram = payload.subarray(0, bytes)
  const isChecked = datagram.readUInt16BE(6) !== 0
  if (isChecked && transportChecksum({ from, to, protocol: PROTOCOL.UDP }, datagram) !== 0) return undefined
  const [fromPort, toPort] = [datagram.readUInt16BE(0), datagram.readUInt16BE(2)]
  return { fromPort, toPort, payload: datagram.subarray(UDP_HEADER_BYTES) }
}

export function datagram(from: Ipv4Address, to: Ipv4Address, { fromPort, toPort, payload }: Datagram): Uint8Array {
  const bytes = Buffer.alloc(UDP_HEADER_BYTES + payload.length)
  bytes.writeUInt16BE(fromPort, 0)
  bytes.writeUInt16BE(toPort, 2)
  bytes.writeUInt16BE(bytes.length, 4)
  bytes.set(payload, UDP_HEADER_BYTES)
  // 0 would say that there is none.
  bytes.writeUInt16BE(transportChecksum({ from, to, protocol: PROTOCOL.UDP }, bytes) || 0xffff, 6)
  return bytes
}

/** Of UDP and TCP, which sum the addresses too; 0 over what has its own in it and is whole. */
export function transportChecksum(
  { from, to, protocol }: Pick<Ipv4Packet, 'from' | 'to' | 'protocol'>,
  bytes: Uint8Array,
): number {
  const words = [from >>> 16, from & 0xffff, to >>> 16, to & 0xffff, protocol, bytes.length]
  return checksum(
    bytes,
    words.reduce((sum, word) => sum + word),
  )
}

/** The one's complement of the one's complement sum of 16-bit words; 0 over what has its own in it and is whole. */
function checksum(bytes: Uint8Array, before = 0): number {
  let sum = before
  const even = bytes.length & ~1
  for (let i = 0; i < even; i += 2) sum += bytes[i]! * 256 + bytes[i + 1]!
  if (even < bytes.length) sum += bytes[even]! * 256
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

function ethernet(from: EthernetAddress, to: EthernetAddress, type: number, payload: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(ETHERNET_HEADER_BYTES + payload.length)
  frame.set(to, 0)
  frame.set(from, 6)
  frame.writeUInt16BE(type, 12)
  frame.set(payload, ETHERNET_HEADER_BYTES)
  return Uint8Array.from(frame)
}
