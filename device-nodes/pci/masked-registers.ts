/**
 * Little-endian registers packed into bytes, with a mask of what a write changes and one of what writing 1 clears. They
 * may be read and written in any width, as PCI configuration registers and the ACPI registers of a south bridge are.
 */
import assert from 'node:assert/strict'
import type { AccessSize } from '../sdk/mod.ts'

export interface MaskedRegister {
  name: string
  offset: number
  size: AccessSize
  /** Value after reset; 0 where left out. */
  initial?: number
  /** Bits that take what is written. */
  writable?: number
  /** Bits cleared by writing 1. */
  clearable?: number
}

export class MaskedRegisters {
  readonly #bytes: Uint8Array<ArrayBuffer>
  readonly #initial: Uint8Array
  readonly #writable: Uint8Array
  readonly #clearable: Uint8Array

  /** `length` bytes, all read-only zeros until `declare`d otherwise. */
  constructor(length: number, registers: readonly MaskedRegister[] = []) {
    this.#bytes = new Uint8Array(length)
    this.#initial = new Uint8Array(length)
    this.#writable = new Uint8Array(length)
    this.#clearable = new Uint8Array(length)
    for (const register of registers) this.declare(register)
    this.reset()
  }

  /** Adds a register, or replaces what was declared of its bytes. Takes effect at the next `reset`. */
  declare(register: MaskedRegister): void {
    this.#check(register.offset, register.size)
    for (let i = 0; i < register.size; i++) {
      const byte = (value: number | undefined) => ((value ?? 0) >>> (8 * i)) & 0xff
      this.#initial[register.offset + i] = byte(register.initial)
      this.#writable[register.offset + i] = byte(register.writable)
      this.#clearable[register.offset + i] = byte(register.clearable)
    }
  }

  reset(): void {
    this.#bytes.set(this.#initial)
  }

  /** The access may not cross a 32-bit word. */
  read(offset: number, size: AccessSize): number {
    this.#check(offset, size)
    let value = 0
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.#bytes[offset + i]!
    return value
  }

  /** A guest's write: changes what may change. */
  write(offset: number, size: AccessSize, value: number): void {
    this.#check(offset, size)
    for (let i = 0; i < size; i++) {
      const at = offset + i
      const written = (value >>> (8 * i)) & 0xff
      const kept = this.#bytes[at]! & ~this.#writable[at]! & ~(written & this.#clearable[at]!)
      this.#bytes[at] = kept | (written & this.#writable[at]!)
    }
  }

  /** The device's own write: no mask applies. */
  put(offset: number, size: AccessSize, value: number): void {
    this.#check(offset, size)
    for (let i = 0; i < size; i++) this.#bytes[offset + i] = (value >>> (8 * i)) & 0xff
  }

  save(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice()
  }

  restore(bytes: Uint8Array): void {
    assert(bytes.length === this.#bytes.length)
    this.#bytes.set(bytes)
  }

  #check(offset: number, size: number): void {
    assert(offset >= 0 && (offset & 3) + size <= 4 && offset + size <= this.#bytes.length, `${size} bytes at ${offset}`)
  }
}
