/**
 * Galileo GT-64120: a MIPS board's system controller. It decodes the CPU's addresses, bridges to PCI_0, and answers for
 * its own PCI function (bus 0, device 0, function 0).
 *
 * Galileo GT-64120 System Controller datasheet, revision 1.4; Linux arch/mips/pci/ops-gt64xxx_pci0.c and
 * asm/gt64120.h for what a kernel relies on.
 *
 * Not modelled: SDRAM and device timing (registers are kept, memory is the board's), moving RAM and device chip selects,
 * the four DMA engines and the timers (registers are kept; starting one is reported as unhandled), PCI_1, PCI masters'
 * windows into the machine (a device's DMA reaches memory directly), and byte swapping by the PCI units except of
 * configuration data.
 */
import { MEMORY_SPACE } from '../../bus/mod.ts'
import {
  configAddress,
  configSpaceState,
  PCI_IO_SPACE,
  PCI_MEMORY_SPACE,
  pciHeader,
  pciStatus,
  type RegionReference,
} from '../pci/mod.ts'
import {
  type AccessSize,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  field,
  NEVER,
  type Region,
  readDevice,
  type Sequence,
  StateLayout,
  writeDevice,
} from '../sdk/mod.ts'
import { gtDecoder } from './decoder.ts'
import { gtHostBridge } from './host-bridge.ts'
import { gtOffset, gtRegisters, remapOfLow } from './registers.ts'

export interface Gt64120Properties {
  /** The CPU's byte order, from which the endianness strap is taken. */
  endian: 'little' | 'big'
  /** `config` regions of the functions on PCI_0, by `device * 8 + function`. */
  slots: Record<number, RegionReference>
  /** The region whose read is an interrupt acknowledge cycle; absent: nobody answers one. */
  interruptAcknowledge?: RegionReference
}

/** Region numbers. */
const REGISTERS = 0
const PCI0_IO = 1
const PCI0_MEM0 = 2
const PCI0_MEM1 = 3

const REGISTERS_BYTES = 0x1000
const ADDRESS_SPACE_BYTES = 2 ** 32
/** Decoders compare address bits from 21 up. */
const DECODE_UNIT_BYTES = 2 ** 21

/** Bits of CPU Interface Configuration. */
const cpuConfiguration = { LITTLE_ENDIAN: 1 << 12 }
/** Bits of PCI_0 Command. */
const pciCommand = { MASTER_BYTE_SWAP_OFF: 1 << 0, SLAVE_BYTE_SWAP_OFF: 1 << 16 }
/** Bits of Interrupt Cause. */
const interruptCause = { SUMMARY: 1 << 0, MASTER_ABORT0: 1 << 18 }
/** Bits of a DMA channel's control register. */
const dmaControl = { ENABLE: 1 << 12 }
/** The enable bits of Timer/Counter Control. */
const TIMER_ENABLES = 0x55

/** Bus 0, device 31, function 7, register 0: a write is a special cycle. */
const SPECIAL_CYCLE_DEVFN = 0xff

/** What the sync barriers read: the read empties buffers, its value means nothing. */
const SYNC_VALUE = 0
const ALL_ONES = 0xffffffff

const layout = new StateLayout('gt64120', {
  registers: field.list(field.unsigned(32), REGISTERS_BYTES / 4),
  hostBridge: configSpaceState,
})

class Gt64120 implements Device {
  readonly #properties: Gt64120Properties
  /** By offset / 4. */
  readonly #registers = new Uint32Array(REGISTERS_BYTES / 4)
  readonly #hostBridge = gtHostBridge()

  constructor(properties: Gt64120Properties) {
    this.#properties = properties
  }

  reset(io: DeviceIo): void {
    this.#registers.fill(0)
    for (const { offset, reset } of gtRegisters.values()) this.#set(offset, reset)
    if (this.#properties.endian === 'little') {
      const swapsOff = pciCommand.MASTER_BYTE_SWAP_OFF | pciCommand.SLAVE_BYTE_SWAP_OFF
      this.#set(gtOffset.CPU_INTERFACE_CONFIGURATION, cpuConfiguration.LITTLE_ENDIAN)
      this.#set(gtOffset.PCI0_COMMAND, swapsOff)
      this.#set(gtOffset.PCI1_COMMAND, swapsOff)
    }
    this.#hostBridge.reset(io)
    this.#mapInternalSpace(io)
    this.#mapWindows(io)
    this.#updateInterrupt(io)
  }

  read(_region: number, offset: number, _size: AccessSize, io: DeviceIo, index?: number): number | Sequence<number> {
    switch (offset) {
      case gtOffset.PCI0_SYNC:
      case gtOffset.PCI1_SYNC:
        return SYNC_VALUE
      case gtOffset.PCI0_INTERRUPT_ACKNOWLEDGE:
        return this.#acknowledgeInterrupt(io)
      case gtOffset.PCI0_CONFIGURATION_DATA:
        return this.#readConfiguration(index ?? 0, io)
      default:
        if (!gtRegisters.has(offset)) io.unhandled(`read of reserved register 0x${offset.toString(16)}`)
        io.validUntil(NEVER)
        return this.#inCpuOrder(this.#get(offset))
    }
  }

  write(
    _region: number,
    offset: number,
    _size: AccessSize,
    written: number,
    io: DeviceIo,
    index?: number,
  ): void | Sequence<void> {
    const value = this.#inCpuOrder(written)
    if (offset === gtOffset.PCI0_CONFIGURATION_DATA) return this.#writeConfiguration(index ?? 0, value, io)
    const register = gtRegisters.get(offset)
    if (register === undefined) {
      io.unhandled(`write of reserved register 0x${offset.toString(16)}`)
      return
    }
    if (offset === gtOffset.INTERRUPT_CAUSE) {
      this.#clearInterruptCause(value, io)
      return
    }
    this.#set(offset, (this.#get(offset) & ~register.writable) | (value & register.writable))
    const remap = remapOfLow.get(offset)
    if (remap !== undefined) this.#set(remap, value & gtRegisters.get(remap)!.writable)
    this.#afterWrite(offset, value, io)
  }

  save(): DeviceState {
    return layout.save({ registers: [...this.#registers], hostBridge: this.#hostBridge.save() })
  }

  restore(state: DeviceState): void {
    const { registers, hostBridge } = layout.restore(state)
    this.#registers.set(registers)
    this.#hostBridge.restore(hostBridge)
  }

  #afterWrite(offset: number, value: number, io: DeviceIo): void {
    switch (offset) {
      case gtOffset.INTERNAL_SPACE_DECODE:
        this.#mapInternalSpace(io)
        break
      case gtOffset.PCI0_IO_LOW:
      case gtOffset.PCI0_IO_HIGH:
      case gtOffset.PCI0_IO_REMAP:
        this.#mapWindow(io, PCI0_IO)
        break
      case gtOffset.PCI0_MEM0_LOW:
      case gtOffset.PCI0_MEM0_HIGH:
      case gtOffset.PCI0_MEM0_REMAP:
        this.#mapWindow(io, PCI0_MEM0)
        break
      case gtOffset.PCI0_MEM1_LOW:
      case gtOffset.PCI0_MEM1_HIGH:
      case gtOffset.PCI0_MEM1_REMAP:
        this.#mapWindow(io, PCI0_MEM1)
        break
      case gtOffset.CPU_INTERRUPT_MASK:
        this.#updateInterrupt(io)
        break
      case gtOffset.TIMER_CONTROL:
        if (value & TIMER_ENABLES) io.unhandled('a timer/counter is enabled, which this model does not run')
        break
      default:
        if (offset >= gtOffset.DMA_CONTROL_FIRST && offset <= gtOffset.DMA_CONTROL_LAST && value & dmaControl.ENABLE) {
          io.unhandled('a DMA channel is enabled, which this model does not run')
        }
    }
  }

  /** With the endianness bit unlike the CPU's byte order, the CPU sees register bytes in reverse. */
  #inCpuOrder(value: number): number {
    const little = (this.#get(gtOffset.CPU_INTERFACE_CONFIGURATION) & cpuConfiguration.LITTLE_ENDIAN) !== 0
    return little === (this.#properties.endian === 'little') ? value : byteSwapped(value)
  }

  #mapInternalSpace(io: DeviceIo): void {
    const base = (this.#get(gtOffset.INTERNAL_SPACE_DECODE) * DECODE_UNIT_BYTES) % ADDRESS_SPACE_BYTES
    io.map(REGISTERS, MEMORY_SPACE, base, 'registers')
  }

  #mapWindows(io: DeviceIo): void {
    for (const window of [PCI0_IO, PCI0_MEM0, PCI0_MEM1]) this.#mapWindow(io, window)
  }

  /**
   * Section 4.1: an address hits when bits 35:28 equal those of the low boundary and bits 27:21 lie between both
   * boundaries. A high boundary below the low one closes the window.
   */
  #mapWindow(io: DeviceIo, window: number): void {
    const { lowOffset, highOffset, remapOffset } = windowRegisters[window]!
    const low = this.#get(lowOffset)
    const units = this.#get(highOffset) - (low & 0x7f) + 1
    const base = low * DECODE_UNIT_BYTES
    if (units <= 0 || base >= ADDRESS_SPACE_BYTES) {
      io.map(window, MEMORY_SPACE, 0, 'off')
      return
    }
    const pciBase = this.#get(remapOffset) * DECODE_UNIT_BYTES
    const length = Math.min(units * DECODE_UNIT_BYTES, ADDRESS_SPACE_BYTES - pciBase)
    io.map(window, MEMORY_SPACE, base, 'registers', length, pciBase)
  }

  *#readConfiguration(address: number, io: DeviceIo): Sequence<number> {
    let value = ALL_ONES
    const target = this.#configurationTarget(address)
    if (target === 'self') value = this.#hostBridge.read(configAddress.register(address), 4)
    else if (target === 'absent') this.#masterAbort(io)
    else if (target !== 'disabled') {
      const offset = configAddress.register(address)
      value = yield* readDevice(target.node, target.region, offset, 4)
    }
    return this.#inCpuOrder(this.#configurationData(target, value))
  }

  *#writeConfiguration(address: number, written: number, io: DeviceIo): Sequence<void> {
    const target = this.#configurationTarget(address)
    const value = this.#configurationData(target, written)
    const offset = configAddress.register(address)
    if (target === 'self') this.#hostBridge.write(offset, 4, value, io)
    else if (target === 'absent') {
      // A special cycle goes to everybody and ends in a master abort by design, which is not an error (PCI 2.2, 3.6.2).
      const special = configAddress.bus(address) === 0 && configAddress.devfn(address) === SPECIAL_CYCLE_DEVFN
      if (!special || offset !== 0) this.#masterAbort(io)
    } else if (target !== 'disabled') {
      yield* writeDevice(target.node, target.region, offset, 4, value)
    }
  }

  #configurationTarget(address: number): RegionReference | 'self' | 'absent' | 'disabled' {
    if (!configAddress.enabled(address)) return 'disabled'
    // There is no PCI-PCI bridge behind which another bus could be.
    if (configAddress.bus(address) !== 0) return 'absent'
    const devfn = configAddress.devfn(address)
    return devfn === 0 ? 'self' : (this.#properties.slots[devfn] ?? 'absent')
  }

  /** Configuration data of other devices pass the byte swapper of the PCI master; the GT's own do not. */
  #configurationData(target: unknown, value: number): number {
    const swaps = (this.#get(gtOffset.PCI0_COMMAND) & pciCommand.MASTER_BYTE_SWAP_OFF) === 0
    return swaps && target !== 'self' ? byteSwapped(value) : value
  }

  *#acknowledgeInterrupt(io: DeviceIo): Sequence<number> {
    const pic = this.#properties.interruptAcknowledge
    if (pic === undefined) {
      this.#masterAbort(io)
      return ALL_ONES
    }
    const vector = yield* readDevice(pic.node, pic.region, 0, 1)
    return this.#inCpuOrder(vector)
  }

  #masterAbort(io: DeviceIo): void {
    const status = this.#hostBridge.read(pciHeader.STATUS, 2)
    this.#hostBridge.put(pciHeader.STATUS, 2, status | pciStatus.RECEIVED_MASTER_ABORT)
    this.#set(gtOffset.INTERRUPT_CAUSE, this.#get(gtOffset.INTERRUPT_CAUSE) | interruptCause.MASTER_ABORT0)
    this.#updateInterrupt(io)
  }

  /** Bits written as 0 are cleared, except the summary, which follows from the others. */
  #clearInterruptCause(value: number, io: DeviceIo): void {
    this.#set(gtOffset.INTERRUPT_CAUSE, this.#get(gtOffset.INTERRUPT_CAUSE) & value)
    this.#updateInterrupt(io)
  }

  /** Derives the summary bit and the interrupt pin. */
  #updateInterrupt(io: DeviceIo): void {
    const causes = this.#get(gtOffset.INTERRUPT_CAUSE) & ~interruptCause.SUMMARY
    this.#set(gtOffset.INTERRUPT_CAUSE, causes | (causes === 0 ? 0 : interruptCause.SUMMARY))
    io.line('interrupt', (causes & this.#get(gtOffset.CPU_INTERRUPT_MASK)) !== 0)
  }

  #get(offset: number): number {
    return this.#registers[offset >>> 2]!
  }

  #set(offset: number, value: number): void {
    this.#registers[offset >>> 2] = value
  }
}

/** The registers of each window, by region number. */
const windowRegisters: Record<number, { lowOffset: number; highOffset: number; remapOffset: number }> = {
  [PCI0_IO]: {
    lowOffset: gtOffset.PCI0_IO_LOW,
    highOffset: gtOffset.PCI0_IO_HIGH,
    remapOffset: gtOffset.PCI0_IO_REMAP,
  },
  [PCI0_MEM0]: {
    lowOffset: gtOffset.PCI0_MEM0_LOW,
    highOffset: gtOffset.PCI0_MEM0_HIGH,
    remapOffset: gtOffset.PCI0_MEM0_REMAP,
  },
  [PCI0_MEM1]: {
    lowOffset: gtOffset.PCI0_MEM1_LOW,
    highOffset: gtOffset.PCI0_MEM1_HIGH,
    remapOffset: gtOffset.PCI0_MEM1_REMAP,
  },
}

function byteSwapped(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
}

const regions: readonly Region[] = [
  {
    kind: 'registers',
    name: 'registers',
    size: REGISTERS_BYTES,
    minBytes: 4,
    maxBytes: 4,
    endian: 'little',
    indexed: {
      index: { offset: gtOffset.PCI0_CONFIGURATION_ADDRESS, size: 4, mask: 0x80fffffc, initial: 0 },
      data: { offset: gtOffset.PCI0_CONFIGURATION_DATA, size: 4 },
    },
  },
  { kind: 'window', name: 'pci0-io', size: ADDRESS_SPACE_BYTES, space: PCI_IO_SPACE },
  { kind: 'window', name: 'pci0-mem0', size: ADDRESS_SPACE_BYTES, space: PCI_MEMORY_SPACE },
  { kind: 'window', name: 'pci0-mem1', size: ADDRESS_SPACE_BYTES, space: PCI_MEMORY_SPACE },
]

/** The system controller. Output `interrupt` is its CPU interrupt pin. Regions map themselves at reset. */
export const gt64120: DeviceModel<Gt64120Properties> = {
  type: 'gt64120',
  stateVersion: 1,
  regions: () => regions,
  inputs: [],
  outputs: ['interrupt'],
  create: (properties) => new Gt64120(properties),
  decoder: () => gtDecoder(),
}
