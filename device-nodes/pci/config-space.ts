/**
 * A PCI function's configuration space: 256 bytes, of which a device declares what the guest may change.
 *
 * PCI Local Bus Specification 2.2, chapter 6. Type 0 headers (devices), not type 1 (bridges to further buses).
 * A configuration cycle reaches a function through its host bridge: an `access` to a region of 256 bytes.
 */
import assert from 'node:assert/strict'
import { type AccessSize, type DeviceIo, field, type MapMode, type NodeName } from '../sdk/mod.ts'
import { type MaskedRegister, MaskedRegisters } from './masked-registers.ts'

/** Offsets of the type 0 header. */
export const pciHeader = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  CLASS_CODE: 0x09,
  CACHE_LINE_SIZE: 0x0c,
  LATENCY_TIMER: 0x0d,
  HEADER_TYPE: 0x0e,
  BIST: 0x0f,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  EXPANSION_ROM: 0x30,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const

/** Bits of COMMAND. */
export const pciCommand = {
  IO_SPACE: 1 << 0,
  MEMORY_SPACE: 1 << 1,
  BUS_MASTER: 1 << 2,
  SPECIAL_CYCLES: 1 << 3,
  MEMORY_WRITE_AND_INVALIDATE: 1 << 4,
  PARITY_ERROR_RESPONSE: 1 << 6,
  SERR_ENABLE: 1 << 8,
} as const

/** Bits of STATUS; all that a guest may clear are cleared by writing 1. */
export const pciStatus = {
  FAST_BACK_TO_BACK: 1 << 7,
  DEVSEL_MEDIUM: 1 << 9,
  SIGNALED_TARGET_ABORT: 1 << 11,
  RECEIVED_TARGET_ABORT: 1 << 12,
  RECEIVED_MASTER_ABORT: 1 << 13,
  SIGNALED_SYSTEM_ERROR: 1 << 14,
  DETECTED_PARITY_ERROR: 1 << 15,
} as const

const STATUS_CLEARABLE = 0xf900

/** The address spaces of a machine's one PCI segment. */
export const PCI_IO_SPACE = 'pci-io'
export const PCI_MEMORY_SPACE = 'pci-memory'

/** What `pci-io` decodes: the PIIX4 and its kin look at 16 address bits. */
export const PCI_IO_BYTES = 0x10000

/** A region of another device that a bridge reaches by itself: a function's `config` region, or what acknowledges interrupts. */
export interface RegionReference {
  node: NodeName
  /** The region's number. */
  region: number
}

/** Fields of a configuration cycle's address (configuration mechanism 1). */
export const configAddress = {
  enabled: (value: number) => value >>> 31 === 1,
  bus: (value: number) => (value >>> 16) & 0xff,
  /** Device number times 8 plus function number. */
  devfn: (value: number) => (value >>> 8) & 0xff,
  register: (value: number) => value & 0xfc,
}

/** A base address register (0 to 5) and the region of the device that it maps. */
export interface BaseAddressRegister {
  index: number
  kind: 'io' | 'memory'
  /** A power of two: at least 4 for I/O, 16 for memory. */
  size: number
  /** Number of the device's region that appears there. */
  region: number
  prefetchable?: boolean
  /** How the region answers; default `registers`. */
  mode?: MapMode
}

export interface ConfigSpaceDefinition {
  vendorId: number
  deviceId: number
  revisionId: number
  /** 24 bits: base class, sub-class, programming interface. */
  classCode: number
  multifunction?: boolean
  /** STATUS after reset. */
  status: number
  /** COMMAND after reset, and its bits that a guest may change. */
  command?: number
  commandWritable: number
  subsystemVendorId?: number
  subsystemId?: number
  /** 0: none, 1: INTA, ... 4: INTD. */
  interruptPin?: number
  bars?: readonly BaseAddressRegister[]
  /** What lies outside the common header fields, or follows other rules than they do. */
  registers?: readonly MaskedRegister[]
}

/** How a configuration space is kept in its device's saved state. */
export const configSpaceState = field.record({
  bytes: field.bytes(256, true),
  mappedBases: field.list(field.whole(-1, 0xffffffff), 6),
})

/** One function's configuration registers, and the mapping of its base address registers. */
export class ConfigSpace {
  readonly definition: ConfigSpaceDefinition
  readonly #registers = new MaskedRegisters(256)
  /** Where each base address register's region stands now; -1: unmapped. */
  #mappedBases: number[]

  constructor(definition: ConfigSpaceDefinition) {
    this.definition = definition
    this.#mappedBases = this.#bars.map(() => -1)
    this.#declareHeader()
    for (const register of definition.registers ?? []) this.#define(register)
    this.#registers.reset()
  }

  /** Everything to its reset value; regions mapped by base address registers disappear. */
  reset(io: DeviceIo): void {
    this.#registers.reset()
    this.#updateMaps(io)
  }

  /** A read of 1, 2 or 4 bytes within a 32-bit word. */
  read(offset: number, size: AccessSize): number {
    return this.#registers.read(offset, size)
  }

  /** Changes what the definition lets a guest change, and maps or unmaps regions that follow from it. */
  write(offset: number, size: AccessSize, value: number, io: DeviceIo): void {
    this.#registers.write(offset, size, value)
    this.#updateMaps(io)
  }

  /** Sets a register as only the device itself may (STATUS, a latched cause). */
  put(offset: number, size: AccessSize, value: number): void {
    this.#registers.put(offset, size, value)
  }

  get command(): number {
    return this.read(pciHeader.COMMAND, 2)
  }

  /** Saved as it is: bytes and where regions stand. */
  save(): { bytes: Uint8Array<ArrayBuffer>; mappedBases: number[] } {
    return { bytes: this.#registers.save(), mappedBases: [...this.#mappedBases] }
  }

  /** The mapping itself belongs to the address map's state: nothing is mapped again here. */
  restore(state: { bytes: Uint8Array; mappedBases: number[] }): void {
    assert(state.mappedBases.length === this.#bars.length)
    this.#registers.restore(state.bytes)
    this.#mappedBases = [...state.mappedBases]
  }

  get #bars(): readonly BaseAddressRegister[] {
    return this.definition.bars ?? []
  }

  #declareHeader(): void {
    const d = this.definition
    this.#define({ name: 'VENDOR_ID', offset: pciHeader.VENDOR_ID, size: 2, initial: d.vendorId })
    this.#define({ name: 'DEVICE_ID', offset: pciHeader.DEVICE_ID, size: 2, initial: d.deviceId })
    this.#define({
      name: 'COMMAND',
      offset: pciHeader.COMMAND,
      size: 2,
      initial: d.command ?? 0,
      writable: d.commandWritable,
    })
    this.#define({
      name: 'STATUS',
      offset: pciHeader.STATUS,
      size: 2,
      initial: d.status,
      clearable: STATUS_CLEARABLE,
    })
    this.#define({ name: 'REVISION_ID', offset: pciHeader.REVISION_ID, size: 1, initial: d.revisionId })
    this.#define({ name: 'PROG_IF', offset: pciHeader.CLASS_CODE, size: 1, initial: d.classCode & 0xff })
    this.#define({ name: 'CLASS', offset: pciHeader.CLASS_CODE + 1, size: 2, initial: d.classCode >>> 8 })
    this.#define({ name: 'HEADER_TYPE', offset: pciHeader.HEADER_TYPE, size: 1, initial: d.multifunction ? 0x80 : 0 })
    this.#define({
      name: 'SUBSYSTEM_VENDOR_ID',
      offset: pciHeader.SUBSYSTEM_VENDOR_ID,
      size: 2,
      initial: d.subsystemVendorId ?? 0,
    })
    this.#define({ name: 'SUBSYSTEM_ID', offset: pciHeader.SUBSYSTEM_ID, size: 2, initial: d.subsystemId ?? 0 })
    const pin = d.interruptPin ?? 0
    this.#define({ name: 'INTERRUPT_PIN', offset: pciHeader.INTERRUPT_PIN, size: 1, initial: pin })
    this.#define({
      name: 'INTERRUPT_LINE',
      offset: pciHeader.INTERRUPT_LINE,
      size: 1,
      writable: pin === 0 ? 0 : 0xff,
    })
    for (const bar of this.#bars) this.#declareBar(bar)
  }

  #declareBar(bar: BaseAddressRegister): void {
    assert(bar.index >= 0 && bar.index < 6)
    assert(Number.isInteger(Math.log2(bar.size)) && bar.size >= (bar.kind === 'io' ? 4 : 16))
    const flags = bar.kind === 'io' ? 1 : bar.prefetchable ? 8 : 0
    const offset = pciHeader.BAR0 + 4 * bar.index
    this.#define({ name: `BAR${bar.index}`, offset, size: 4, initial: flags, writable: -bar.size >>> 0 })
  }

  #define(register: MaskedRegister): void {
    this.#registers.declare(register)
  }

  #updateMaps(io: DeviceIo): void {
    this.#bars.forEach((bar, i) => {
      const base = this.#barBase(bar)
      if (base === this.#mappedBases[i]) return
      this.#mappedBases[i] = base
      const space = bar.kind === 'io' ? PCI_IO_SPACE : PCI_MEMORY_SPACE
      if (base < 0) io.map(bar.region, space, 0, 'off')
      else io.map(bar.region, space, base, bar.mode ?? 'registers')
    })
  }

  /** Where `bar` decodes now, or -1. Addresses of all ones (sizing) and I/O past 64 KiB decode nothing. */
  #barBase(bar: BaseAddressRegister): number {
    const enabled = this.command & (bar.kind === 'io' ? pciCommand.IO_SPACE : pciCommand.MEMORY_SPACE)
    if (!enabled) return -1
    const base = (this.read(pciHeader.BAR0 + 4 * bar.index, 4) & -bar.size) >>> 0
    if (base === 0 || base === -bar.size >>> 0) return -1
    if (bar.kind === 'io' && base + bar.size > PCI_IO_BYTES) return -1
    return base
  }
}
