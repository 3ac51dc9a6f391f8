/** Words for what a card is sent from the world and sends there, for the decoders of cards. */
import { hex, type Payload } from '../sdk/mod.ts'
import { readLink } from './link.ts'

/** EtherTypes by name: IEEE 802 numbers as IANA lists them. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [0x0800, 'IPv4'],
  [0x0806, 'ARP'],
  [0x8035, 'RARP'],
  [0x8100, 'VLAN'],
  [0x86dd, 'IPv6'],
  [0x88cc, 'LLDP'],
])
const HEADER_BYTES = 14
/** From here on it is a type; below it is a length, of IEEE 802.3's own frames. */
const LEAST_TYPE = 0x0600

/** A card's decoder: `registers` for its registers, and words for frames and its link. */
export function cardDecoder(
  registers: (payload: Payload) => string | undefined,
): (payload: Payload) => string | undefined {
  return (payload) => {
    if (payload.kind === 'output') return frameWords(payload.bytes)
    if (payload.kind !== 'input') return registers(payload)
    const isUp = readLink(payload.bytes)
    return isUp === undefined ? frameWords(payload.bytes) : `link ${isUp ? 'up' : 'down'}`
  }
}

/** `frame 60 bytes 52:54:00:12:34:56 -> ff:ff:ff:ff:ff:ff ARP`. */
function frameWords(frame: Uint8Array): string {
  const size = `frame ${frame.length} bytes`
  if (frame.length < HEADER_BYTES) return size
  const type = frame[12]! * 0x100 + frame[13]!
  const kind = type < LEAST_TYPE ? 'IEEE 802.3' : (TYPES.get(type) ?? hex(type, 4))
  return `${size} ${addressWords(frame.subarray(6, 12))} -> ${addressWords(frame.subarray(0, 6))} ${kind}`
}

function addressWords(address: Uint8Array): string {
  return [...address].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
