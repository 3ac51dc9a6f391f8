/**
 * A DHCP server for one network and its one guest: RFC 2131, options of RFC 2132.
 */
import type { EthernetAddress, Ipv4Address } from './packets.ts'

export const DHCP_SERVER_PORT = 67
export const DHCP_CLIENT_PORT = 68

/** What a guest is told. */
export interface Lease {
  address: Ipv4Address
  mask: Ipv4Address
  server: Ipv4Address
  router: Ipv4Address
  dns: Ipv4Address
  seconds: number
  hostName: string
}

const [BOOTREQUEST, BOOTREPLY] = [1, 2]
const MAGIC = 0x63825363
const FIXED_BYTES = 236
const OPTIONS_AT = FIXED_BYTES + 4
const HARDWARE_ADDRESS_AT = 28

const OPTION = {
  PAD: 0,
  SUBNET_MASK: 1,
  ROUTER: 3,
  DNS: 6,
  HOST_NAME: 12,
  REQUESTED_ADDRESS: 50,
  LEASE_TIME: 51,
  MESSAGE_TYPE: 53,
  SERVER: 54,
  END: 255,
} as const

const MESSAGE = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5, NAK: 6, INFORM: 8 } as const

/** The reply to a client, for its hardware address; undefined for what wants none, or is no request. */
export function dhcpReply(request: Buffer, lease: Lease): { client: EthernetAddress; reply: Buffer } | undefined {
  const isRequest =
    request.length > OPTIONS_AT &&
    request[0] === BOOTREQUEST &&
    request[2] === 6 &&
    request.readUInt32BE(FIXED_BYTES) === MAGIC
  if (!isRequest) return undefined
  const options = readOptions(request.subarray(OPTIONS_AT))
  const type = replyType(options, request, lease)
  if (type === undefined) return undefined
  const client = Uint8Array.from(request.subarray(HARDWARE_ADDRESS_AT, HARDWARE_ADDRESS_AT + 6))
  const reply = Buffer.alloc(OPTIONS_AT)
  request.copy(reply, 0, 0, FIXED_BYTES)
  reply[0] = BOOTREPLY
  // `yiaddr`, and the next server to boot from; names are empty.
  reply.writeUInt32BE(type === MESSAGE.NAK || isInform(options) ? 0 : lease.address, 16)
  reply.writeUInt32BE(lease.server, 20)
  reply.fill(0, 44, FIXED_BYTES)
  reply.writeUInt32BE(MAGIC, FIXED_BYTES)
  return { client, reply: Buffer.concat([reply, writeOptions(type, lease, isInform(options))]) }
}

function isInform(options: ReadonlyMap<number, Buffer>): boolean {
  return options.get(OPTION.MESSAGE_TYPE)?.[0] === MESSAGE.INFORM
}

/** What is answered: nothing to messages that are for another server, and to those that only tell. */
function replyType(options: ReadonlyMap<number, Buffer>, request: Buffer, lease: Lease): number | undefined {
  const type = options.get(OPTION.MESSAGE_TYPE)?.[0]
  if (type === MESSAGE.DISCOVER) return MESSAGE.OFFER
  if (type === MESSAGE.INFORM) return MESSAGE.ACK
  const server = options.get(OPTION.SERVER)
  if (type !== MESSAGE.REQUEST || (server !== undefined && addressOf(server) !== lease.server)) return undefined
  const wanted = addressOf(options.get(OPTION.REQUESTED_ADDRESS)) ?? request.readUInt32BE(12)
  return wanted === lease.address ? MESSAGE.ACK : MESSAGE.NAK
}

function addressOf(option: Buffer | undefined): Ipv4Address | undefined {
  return option?.length === 4 ? option.readUInt32BE(0) : undefined
}

/** As far as they are whole. */
function readOptions(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>()
  for (let at = 0; at < bytes.length && bytes[at] !== OPTION.END; ) {
    const number = bytes[at]!
    if (number === OPTION.PAD) {
      at++
      continue
    }
    const length = bytes[at + 1]
    if (length === undefined || at + 2 + length > bytes.length) break
    options.set(number, bytes.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return options
}

function writeOptions(type: number, lease: Lease, isInformed: boolean): Buffer {
  const long = (number: number, value: number) => [
    number,
    4,
    ...[24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff),
  ]
  const first = [OPTION.MESSAGE_TYPE, 1, type, ...long(OPTION.SERVER, lease.server)]
  if (type === MESSAGE.NAK) return Buffer.from([...first, OPTION.END])
  const name = Buffer.from(lease.hostName, 'latin1')
  return Buffer.from([
    ...first,
    ...(isInformed ? [] : long(OPTION.LEASE_TIME, lease.seconds)),
    ...long(OPTION.SUBNET_MASK, lease.mask),
    ...long(OPTION.ROUTER, lease.router),
    ...long(OPTION.DNS, lease.dns),
    ...[OPTION.HOST_NAME, name.length, ...name],
    OPTION.END,
  ])
}
