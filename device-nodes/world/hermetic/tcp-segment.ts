/**
 * TCP segments, read and made: RFC 9293 3.1, with the options for the largest segment and, of RFC 7323, for the window's scale.
 */
import { type Ipv4Address, type Ipv4Packet, PROTOCOL, transportChecksum } from './packets.ts'

export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const

const HEADER_BYTES = 20
const OPTION = { END: 0, NOTHING: 1, LARGEST_SEGMENT: 2, WINDOW_SCALE: 3 } as const

export interface TcpSegment {
  fromPort: number
  toPort: number
  /** Of the first byte of the payload, or of SYN: 32 bits. */
  sequence: number
  /** 0 without ACK. */
  acknowledgment: number
  flags: number
  /** As it is in the header: not scaled. */
  window: number
  payload: Buffer
  /** Options, where they are given; only with SYN do they mean anything. */
  largestSegment?: number
  windowScale?: number
}

/** How many sequence numbers a segment takes. */
export function sequenceLength({ flags, payload }: Pick<TcpSegment, 'flags' | 'payload'>): number {
  return payload.length + (flags & TCP_FLAG.SYN ? 1 : 0) + (flags & TCP_FLAG.FIN ? 1 : 0)
}

/** Undefined for one that is damaged. */
export function readSegment(packet: Ipv4Packet): TcpSegment | undefined {
  const bytes = packet.payload
  if (bytes.length < HEADER_BYTES) return undefined
  const headerBytes = 4 * (bytes[12]! >> 4)
  if (headerBytes < HEADER_BYTES || headerBytes > bytes.length) return undefined
  if (transportChecksum(packet, bytes) !== 0) return undefined
  return {
    fromPort: bytes.readUInt16BE(0),
    toPort: bytes.readUInt16BE(2),
    sequence: bytes.readUInt32BE(4),
    acknowledgment: bytes.readUInt32BE(8),
    flags: bytes[13]!,
    window: bytes.readUInt16BE(14),
    payload: bytes.subarray(headerBytes),
    ...readOptions(bytes.subarray(HEADER_BYTES, headerBytes)),
  }
}

/** As far as they are whole. */
function readOptions(bytes: Buffer): Pick<TcpSegment, 'largestSegment' | 'windowScale'> {
  const options: Pick<TcpSegment, 'largestSegment' | 'windowScale'> = {}
  for (let at = 0; at < bytes.length && bytes[at] !== OPTION.END; ) {
    if (bytes[at] === OPTION.NOTHING) {
      at++
      continue
    }
    const length = bytes[at + 1] ?? 0
    if (length < 2 || at + length > bytes.length) break
    if (bytes[at] === OPTION.LARGEST_SEGMENT && length === 4) options.largestSegment = bytes.readUInt16BE(at + 2)
    if (bytes[at] === OPTION.WINDOW_SCALE && length === 3) options.windowScale = bytes[at + 2]!
    at += length
  }
  return options
}

/** What an IPv4 packet carries. */
export function writeSegment(from: Ipv4Address, to: Ipv4Address, segment: TcpSegment): Uint8Array {
  const { largestSegment, windowScale, payload } = segment
  const options = [
    ...(largestSegment === undefined ? [] : [OPTION.LARGEST_SEGMENT, 4, largestSegment >> 8, largestSegment & 0xff]),
    ...(windowScale === undefined ? [] : [OPTION.NOTHING, OPTION.WINDOW_SCALE, 3, windowScale]),
  ]
  const headerBytes = HEADER_BYTES + options.length
  const bytes = Buffer.alloc(headerBytes + payload.length)
  bytes.writeUInt16BE(segment.fromPort, 0)
  bytes.writeUInt16BE(segment.toPort, 2)
  bytes.writeUInt32BE(segment.sequence, 4)
  bytes.writeUInt32BE(segment.acknowledgment, 8)
  bytes[12] = (headerBytes / 4) << 4
  bytes[13] = segment.flags
  bytes.writeUInt16BE(segment.window, 14)
  bytes.set(options, HEADER_BYTES)
  bytes.set(payload, headerBytes)
  bytes.writeUInt16BE(transportChecksum({ from, to, protocol: PROTOCOL.TCP }, bytes), 16)
  return bytes
}
