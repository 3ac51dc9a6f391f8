/**
 * Boot code for MIPS boards as machine words, from encoders of the few instructions it needs.
 *
 * MIPS32 Architecture For Programmers, volume II, MD00086, revision 2.62. Code starts at the reset vector 0xbfc00000,
 * uncached, with Status.ERL set.
 */
import assert from 'node:assert/strict'
import { BoardOptionsError, type GuestProgram } from './definition.ts'

export type Endian = 'little' | 'big'

/** General registers by their o32 names. */
export const register = { zero: 0, t0: 8, t1: 9, a0: 4, a1: 5, a2: 6, a3: 7, t9: 25, sp: 29 } as const

type RegisterNumber = (typeof register)[keyof typeof register]

const CP0_STATUS = 12
/** Status after the boot code: exception vectors still in ROM, ERL clear. */
const STATUS_BEV = 0x00400000

export const BOOT_ROM_BASE = 0x1fc00000
/** Every KSEG0 or KSEG1 address leads to the lowest 512 MiB of physical memory. */
const KSEG_MASK = 0x1fffffff

/** The physical address of a KSEG0 or KSEG1 address; `undefined` for any other. */
export function physicalOf(virtual: number): number | undefined {
  return virtual >= 0x80000000 && virtual < 0xc0000000 ? virtual % 2 ** 29 : undefined
}

/** The cached and the uncached address of a physical one below 512 MiB. */
export function kseg0(physical: number): number {
  assert(physical >= 0 && physical <= KSEG_MASK)
  return physical + 0x80000000
}

export function kseg1(physical: number): number {
  assert(physical >= 0 && physical <= KSEG_MASK)
  return physical + 0xa0000000
}

/** Writes instructions one after the other into a ROM. */
export class BootCode {
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly #littleEndian: boolean
  #at = 0

  constructor(romBytes: number, endian: Endian) {
    this.bytes = new Uint8Array(romBytes)
    this.#view = new DataView(this.bytes.buffer)
    this.#littleEndian = endian === 'little'
  }

  /** Goes on at `offset` of the ROM. */
  seek(offset: number): void {
    assert(offset % 4 === 0)
    this.#at = offset
  }

  word(value: number): void {
    this.#view.setUint32(this.#at, value, this.#littleEndian)
    this.#at += 4
  }

  /** `lui` and `ori`: loads a 32-bit value. */
  li(rt: RegisterNumber, value: number): void {
    this.word(0x3c000000 | (rt << 16) | (value >>> 16))
    this.word(0x34000000 | (rt << 21) | (rt << 16) | (value & 0xffff))
  }

  /** Stores a 32-bit value at a virtual address; uses t0 and t1. */
  store(address: number, value: number): void {
    this.#storeBy(0xac000000, address, value)
  }

  /** The same for a byte. */
  storeByte(address: number, value: number): void {
    this.#storeBy(0xa0000000, address, value)
  }

  #storeBy(instruction: number, address: number, value: number): void {
    this.li(register.t0, address)
    this.li(register.t1, value)
    this.word(instruction | (register.t0 << 21) | (register.t1 << 16))
  }

  /** Jumps within the ROM. */
  jumpTo(offset: number): void {
    this.word(0x08000000 | (((BOOT_ROM_BASE + offset) & 0x0fffffff) >>> 2))
    this.nop()
  }

  nop(): void {
    this.word(0)
  }

  /** Leaves the reset state (ERL) and jumps to `entry`. */
  start(entry: number): void {
    this.li(register.t0, STATUS_BEV)
    this.word(0x40800000 | (register.t0 << 16) | (CP0_STATUS << 11))
    this.li(register.t9, entry)
    this.word((register.t9 << 21) | 0x08)
    this.nop()
  }

  /** Stays here for ever: a branch to itself. */
  halt(): void {
    this.word(0x1000ffff)
    this.nop()
  }
}

/** The segments of `program` as bytes of a RAM that stands at physical address 0; `end` is past the highest of them. */
export function placeProgram(
  program: GuestProgram,
  ramBytes: number,
): { loads: { offset: number; bytes: Uint8Array }[]; end: number } {
  let end = 0
  const loads = program.segments.map(({ address, bytes, memoryBytes }) => {
    const offset = physicalOf(address)
    const length = Math.max(bytes.length, memoryBytes ?? 0)
    if (offset === undefined || offset + length > ramBytes) {
      throw new BoardOptionsError(
        `the kernel wants ${length} bytes at virtual address 0x${address.toString(16)}, but there are ` +
          `${ramBytes} bytes of memory from 0x80000000: link it there, or give the machine more memory`,
      )
    }
    end = Math.max(end, offset + length)
    return { offset, bytes: padded(bytes, length) }
  })
  return { loads, end }
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes
  const whole = new Uint8Array(length)
  whole.set(bytes)
  return whole
}
