/**
 * Initialisation block and descriptors of an Am79C973, in the layouts that software may choose: AMD publication 21510, "Initialization
 * block", "Receive descriptors", "Transmit descriptors". All are little-endian.
 */

/** Of a descriptor of either ring. */
export const DESCRIPTOR = { OWN: 0x8000, ERR: 0x4000, STP: 0x0200, ENP: 0x0100 } as const
/** Of a received frame: whom it was for, and that a buffer for the rest of it was missing. */
export const RECEIVED = { BUFF: 0x0400, PAM: 0x0040, LAFM: 0x0020, BAM: 0x0010 } as const

/** Of a frame that was sent: nobody was there to hear it. */
export const SENT_LCAR = 0x0800

/** A descriptor, whatever its layout. */
export interface Descriptor {
  /** Of the buffer, and how many bytes it has. */
  address: number
  bytes: number
  /** The upper half of its second word. */
  flags: number
}

/** A layout of descriptors. */
export interface RingStyle {
  /** Of a descriptor. */
  bytes: number
  read(descriptor: Uint8Array): Descriptor
  /** Puts flags into a descriptor's bytes; and of a received frame, how long it is. */
  write(descriptor: Uint8Array, flags: number, frameBytes?: number): void
  /** Says in a descriptor's bytes what went wrong when its frame was sent: the upper half of the word that has it. */
  fail(descriptor: Uint8Array, errors: number): void
}

const COUNT = 0x0fff
/** Buffers have their length as the two's complement of 12 bits. */
const lengthOf = (count: number) => (0x1000 - (count & COUNT)) & COUNT || 0x1000
// A descriptor is looked at some times for each frame: a view of it would take longer than what is read of it.
const word = (bytes: Uint8Array, at: number) => bytes[at]! | (bytes[at + 1]! << 8)
const long = (bytes: Uint8Array, at: number) => word(bytes, at) + word(bytes, at + 2) * 0x10000
const putWord = (bytes: Uint8Array, at: number, value: number) => {
  bytes[at] = value
  bytes[at + 1] = value >> 8
}

/** Addresses of 24 bits, four words of 16 bits. */
const sixteenBits: RingStyle = {
  bytes: 8,
  read(descriptor) {
    const flags = word(descriptor, 2)
    return {
      address: word(descriptor, 0) + (flags & 0xff) * 0x10000,
      bytes: lengthOf(word(descriptor, 4)),
      flags: flags & 0xff00,
    }
  },
  write(descriptor, flags, frameBytes) {
    descriptor[3] = flags >> 8
    if (frameBytes !== undefined) putWord(descriptor, 6, frameBytes & COUNT)
  },
  fail(descriptor, errors) {
    putWord(descriptor, 6, errors)
  },
}

/** Four words of 32 bits: the buffer's address and the frame's length change places in style 3. */
function thirtyTwoBits(addressAt: number, statusAt: number): RingStyle {
  return {
    bytes: 16,
    read(descriptor) {
      return {
        address: long(descriptor, addressAt),
        bytes: lengthOf(word(descriptor, 4)),
        flags: word(descriptor, 6),
      }
    },
    write(descriptor, flags, frameBytes) {
      putWord(descriptor, 6, flags)
      if (frameBytes === undefined) return
      putWord(descriptor, statusAt, frameBytes & COUNT)
      putWord(descriptor, statusAt + 2, 0)
    },
    fail(descriptor, errors) {
      putWord(descriptor, statusAt + 2, errors)
    },
  }
}

/** By BCR20's SWSTYLE; undefined for those that are reserved. */
export function ringStyle(number: number): RingStyle | undefined {
  if (number === 0) return sixteenBits
  if (number === 2) return thirtyTwoBits(0, 8)
  return number === 3 ? thirtyTwoBits(8, 0) : undefined
}

export interface InitBlock {
  mode: number
  address: Uint8Array
  filter: Uint8Array
  receive: { address: number; length: number }
  transmit: { address: number; length: number }
}

export const INIT_BLOCK_BYTES = { wide: 28, narrow: 24 } as const
const MOST_LENGTH_BITS = { wide: 9, narrow: 7 }

/** `wide`: of 32-bit structures. */
export function readInitBlock(block: Uint8Array, width: 'wide' | 'narrow'): InitBlock {
  const length = (bits: number) => 2 ** Math.min(bits, MOST_LENGTH_BITS[width])
  const from = width === 'wide' ? 4 : 2
  const address = block.slice(from, from + 6)
  if (width === 'wide') {
    return {
      mode: word(block, 0),
      address,
      filter: block.slice(12, 20),
      receive: { address: long(block, 20), length: length(block[2]! >> 4) },
      transmit: { address: long(block, 24), length: length(block[3]! >> 4) },
    }
  }
  const ring = (at: number) => {
    const both = long(block, at)
    return { address: both & 0xfffff8, length: length(both >>> 29) }
  }
  return { mode: word(block, 0), address, filter: block.slice(8, 16), receive: ring(16), transmit: ring(20) }
}
