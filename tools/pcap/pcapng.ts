/**
 * Writes a capture in Wireshark's format: draft-ietf-opsawg-pcapng. Ethernet frames, with nanoseconds, direction and a comment each.
 */

export interface CapturedFrame {
  /** The place of its interface in the capture's list. */
  interface: number
  /** Since 1970. */
  ns: bigint
  direction: 'in' | 'out'
  comment: string
  bytes: Uint8Array
}

const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, FRAME: 6 } as const
const BYTE_ORDER = 0x1a2b3c4d
const UNKNOWN_LENGTH = 0xffff_ffff
const LINK_ETHERNET = 1
const OPTION = { END: 0, COMMENT: 1, APPLICATION: 4, INTERFACE_NAME: 2, FLAGS: 2, RESOLUTION: 9 } as const
/** 10 to the power of minus this many seconds. */
const NANOSECONDS = 9
const DIRECTION = { in: 1, out: 2 } as const

/** What comes first: who made the capture, and its interfaces by name. */
export function captureStart(application: string, interfaces: readonly string[]): Buffer {
  const section = Buffer.alloc(16)
  section.writeUInt32LE(BYTE_ORDER, 0)
  section.writeUInt16LE(1, 4)
  section.writeUInt32LE(UNKNOWN_LENGTH, 8)
  section.writeUInt32LE(UNKNOWN_LENGTH, 12)
  const described = interfaces.map((name) => {
    const head = Buffer.alloc(8)
    head.writeUInt16LE(LINK_ETHERNET, 0)
    return block(BLOCK.INTERFACE, head, [
      [OPTION.INTERFACE_NAME, Buffer.from(name)],
      [OPTION.RESOLUTION, Buffer.of(NANOSECONDS)],
    ])
  })
  return Buffer.concat([block(BLOCK.SECTION, section, [[OPTION.APPLICATION, Buffer.from(application)]]), ...described])
}

export function captureFrame({ interface: number, ns, direction, comment, bytes }: CapturedFrame): Buffer {
  const head = Buffer.alloc(20 + padded(bytes.length))
  head.writeUInt32LE(number, 0)
  head.writeUInt32LE(Number(ns >> 32n), 4)
  head.writeUInt32LE(Number(ns & 0xffff_ffffn), 8)
  head.writeUInt32LE(bytes.length, 12)
  head.writeUInt32LE(bytes.length, 16)
  head.set(bytes, 20)
  const flags = Buffer.alloc(4)
  flags.writeUInt32LE(DIRECTION[direction])
  return block(BLOCK.FRAME, head, [
    [OPTION.COMMENT, Buffer.from(comment)],
    [OPTION.FLAGS, flags],
  ])
}

function block(
  type: number,
  body: Uint8Array,
  options: readonly (readonly [code: number, value: Uint8Array])[],
): Buffer {
  const parts = [...options, [OPTION.END, new Uint8Array(0)] as const].map(([code, value]) => {
    const option = Buffer.alloc(4 + padded(value.length))
    option.writeUInt16LE(code, 0)
    option.writeUInt16LE(value.length, 2)
    option.set(value, 4)
    return option
  })
  const contents = Buffer.concat([body, ...parts])
  const whole = Buffer.alloc(12 + contents.length)
  whole.writeUInt32LE(type, 0)
  whole.writeUInt32LE(whole.length, 4)
  whole.set(contents, 8)
  whole.writeUInt32LE(whole.length, whole.length - 4)
  return whole
}

/** To a multiple of four. */
function padded(bytes: number): number {
  return (bytes + 3) & ~3
}
