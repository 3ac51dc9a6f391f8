/**
 * Registers as data: a device lists its registers once, reserved bits included, and asks the table which one an access
 * meets. An access that the model does not answer is reported by its datasheet name, never ignored in silence.
 */
import assert from 'node:assert/strict'
import type { AccessSize, DeviceIo } from '../../bus/mod.ts'
import { hex } from './bits.ts'

/** One row of a register table. */
export interface Register<Name extends string = string> {
  readonly name: Name
  /** Bytes from the start of its region. */
  readonly offset: number
  readonly bytes: AccessSize
  /** `unimplemented`: the datasheet has it, the model does not. */
  readonly access: 'rw' | 'ro' | 'wo' | 'unimplemented'
  /** Bits that the datasheet reserves: a one written there is reported and dropped. */
  readonly reserved?: number
}

export class RegisterTable<Name extends string> {
  readonly #byOffset = new Map<number, Register<Name>>()
  readonly #device: string

  /** `device` names the model in reports. Throws where two registers overlap. */
  constructor(device: string, rows: readonly Register<Name>[]) {
    this.#device = device
    for (const row of rows) {
      for (let byte = 0; byte < row.bytes; byte++) {
        assert(!this.#byOffset.has(row.offset + byte), `${device}: ${row.name} overlaps another register`)
        this.#byOffset.set(row.offset + byte, row)
      }
    }
  }

  /** The register whose bytes include `offset`, whatever its access mode. */
  at(offset: number): Register<Name> | undefined {
    return this.#byOffset.get(offset)
  }

  /** The register that a read at `offset` meets; otherwise reports it and gives `undefined`. */
  forRead(offset: number, io: DeviceIo): Name | undefined {
    const row = this.#byOffset.get(offset)
    if (row !== undefined && (row.access === 'rw' || row.access === 'ro')) return row.name
    io.unhandled(`${this.#device}: read of ${describe(row, offset)}`)
    return undefined
  }

  /**
   * The register that a write at `offset` meets and the value less its reserved bits; otherwise reports the write and
   * gives `undefined`.
   */
  forWrite(offset: number, value: number, io: DeviceIo): { name: Name; value: number } | undefined {
    const row = this.#byOffset.get(offset)
    if (row === undefined || row.access === 'ro' || row.access === 'unimplemented') {
      io.unhandled(`${this.#device}: write of ${hex(value)} to ${describe(row, offset)}`)
      return undefined
    }
    return { name: row.name, value: withoutReserved(this.#device, row.name, value, row.reserved ?? 0, io) }
  }
}

/** `value` less its `reserved` bits, which are reported where they are set. */
export function withoutReserved(
  device: string,
  register: string,
  value: number,
  reserved: number,
  io: DeviceIo,
): number {
  const bad = (value & reserved) >>> 0
  if (bad !== 0) io.unhandled(`${device}: ${register} reserved bits ${hex(bad)} written`)
  return (value & ~reserved) >>> 0
}

function describe(row: Register | undefined, offset: number): string {
  if (row === undefined) return `no register at offset ${hex(offset)}`
  return row.access === 'unimplemented' ? `unimplemented ${row.name}` : `${row.name}, which is ${row.access}`
}
