/**
 * Intel 82371AB (PIIX4), function 0: PCI-to-ISA bridge.
 *
 * 82371AB datasheet, order number 290562-001, chapter 4. It steers the PCI interrupts PIRQA#..PIRQD# to ISA interrupts,
 * takes I/O cycles that nobody else claims to the ISA bus, and resets the machine (RC, port 0xcf9).
 *
 * The chip's interrupt controllers, timer and clock are devices of their own (i8259, i8254, mc146818). Not modelled:
 * the two 8237 DMA controllers and DDMA/PC-PCI, serial interrupts, ISA memory cycles, the USB host controller
 * (function 2 answers no configuration cycle), SMI and the APM ports 0xb2 and 0xb3.
 */
import { ConfigSpace, configDecoder, configSpaceState, pciCommand, pciStatus } from '../pci/mod.ts'
import {
  type AccessSize,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  field,
  hex,
  NEVER,
  type Payload,
  type Region,
  StateLayout,
} from '../sdk/mod.ts'

/** Region numbers. */
const CONFIG = 0
const ISA = 1
const RESET_CONTROL = 2

const PIRQRC_FIRST = 0x60
/** Bits of a PIRQ route control register. */
const pirqRouteControl = { ROUTING_DISABLED: 0x80, IRQ: 0x0f }
/** Bits of the reset control register. */
const resetControl = { SRST: 1 << 1, RCPU: 1 << 2 }

/** The ISA interrupts to which a PIRQ may be steered (table of PIRQRC[3:0]; the others are reserved). */
const STEERABLE_IRQS: readonly number[] = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15]

const registers = [
  { name: 'IORT', offset: 0x4c, size: 1, initial: 0x4d, writable: 0x7f },
  { name: 'XBCS', offset: 0x4e, size: 2, initial: 0x0003, writable: 0x07ff },
  { name: 'PIRQRCA', offset: 0x60, size: 1, initial: 0x80, writable: 0x8f },
  { name: 'PIRQRCB', offset: 0x61, size: 1, initial: 0x80, writable: 0x8f },
  { name: 'PIRQRCC', offset: 0x62, size: 1, initial: 0x80, writable: 0x8f },
  { name: 'PIRQRCD', offset: 0x63, size: 1, initial: 0x80, writable: 0x8f },
  { name: 'SERIRQC', offset: 0x64, size: 1, initial: 0x10, writable: 0xff },
  { name: 'TOM', offset: 0x69, size: 1, initial: 0x02, writable: 0xfe },
  { name: 'MSTAT', offset: 0x6a, size: 2, clearable: 0x8000, writable: 0x0081 },
  { name: 'MBDMA0', offset: 0x76, size: 1, initial: 0x04, writable: 0x8f },
  { name: 'MBDMA1', offset: 0x77, size: 1, initial: 0x04, writable: 0x8f },
  { name: 'APICBASE', offset: 0x80, size: 1, writable: 0x7f },
  { name: 'DLC', offset: 0x82, size: 1, writable: 0x0f },
  { name: 'PDMACFG', offset: 0x90, size: 2, writable: 0xffff },
  { name: 'DDMABP0', offset: 0x92, size: 2, writable: 0xffc0 },
  { name: 'DDMABP1', offset: 0x94, size: 2, writable: 0xffc0 },
  { name: 'GENCFG', offset: 0xb0, size: 4, writable: 0xffffffff },
  { name: 'RTCCFG', offset: 0xcb, size: 1, initial: 0x21, writable: 0x3f },
] as const

const definition = {
  vendorId: 0x8086,
  deviceId: 0x7110,
  revisionId: 0x00,
  classCode: 0x060100,
  multifunction: true,
  status: pciStatus.FAST_BACK_TO_BACK | pciStatus.DEVSEL_MEDIUM,
  command: pciCommand.IO_SPACE | pciCommand.MEMORY_SPACE | pciCommand.BUS_MASTER,
  commandWritable: pciCommand.SPECIAL_CYCLES | pciCommand.SERR_ENABLE,
  registers,
}

const layout = new StateLayout('piix4-isa', {
  config: configSpaceState,
  pirqLevels: field.list(field.unsigned(1), 4),
  resetControl: field.unsigned(8),
})

class IsaBridge implements Device {
  readonly #config = new ConfigSpace(definition)
  /** Levels of PIRQA..PIRQD; 1 is asserted. The wires belong to their drivers and outlive a reset. */
  readonly #pirqLevels = [0, 0, 0, 0]
  #resetControl = 0

  reset(io: DeviceIo): void {
    this.#config.reset(io)
    this.#resetControl = 0
    this.#updateInterrupts(io)
  }

  read(region: number, offset: number, size: AccessSize, io: DeviceIo): number {
    io.validUntil(NEVER)
    if (region === CONFIG) return this.#config.read(offset, size)
    if (region === RESET_CONTROL) return this.#resetControl
    io.unhandled(`read of ISA port ${hex(offset, 4)}, where nothing is`)
    // An undriven ISA data bus is pulled up.
    return 2 ** (8 * size) - 1
  }

  write(region: number, offset: number, size: AccessSize, value: number, io: DeviceIo): void {
    if (region === CONFIG) {
      this.#config.write(offset, size, value, io)
      this.#updateInterrupts(io)
    } else if (region === RESET_CONTROL) {
      const starts = (value & ~this.#resetControl & resetControl.RCPU) !== 0
      this.#resetControl = value & (resetControl.SRST | resetControl.RCPU)
      if (starts) io.output(new TextEncoder().encode('reset'))
    } else {
      io.unhandled(`write of ${hex(value)} to ISA port ${hex(offset, 4)}, where nothing is`)
    }
  }

  line(wire: number, level: 0 | 1, io: DeviceIo): void {
    this.#pirqLevels[wire] = level
    this.#updateInterrupts(io)
  }

  save(): DeviceState {
    return layout.save({
      config: this.#config.save(),
      pirqLevels: this.#pirqLevels,
      resetControl: this.#resetControl,
    })
  }

  restore(state: DeviceState): void {
    const fields = layout.restore(state)
    this.#config.restore(fields.config)
    fields.pirqLevels.forEach((level, pirq) => {
      this.#pirqLevels[pirq] = level
    })
    this.#resetControl = fields.resetControl
  }

  /** An ISA interrupt is asserted while any PIRQ steered to it is: level-shared. */
  #updateInterrupts(io: DeviceIo): void {
    for (const irq of STEERABLE_IRQS) {
      const asserted = this.#pirqLevels.some((level, pirq) => level === 1 && this.#steeredTo(pirq) === irq)
      io.line(`irq${irq}`, asserted)
    }
  }

  #steeredTo(pirq: number): number | undefined {
    const control = this.#config.read(PIRQRC_FIRST + pirq, 1)
    return control & pirqRouteControl.ROUTING_DISABLED ? undefined : control & pirqRouteControl.IRQ
  }
}

const regions: readonly Region[] = [
  { kind: 'registers', name: 'config', size: 256, endian: 'little' },
  { kind: 'registers', name: 'isa', size: 0x10000, endian: 'little' },
  { kind: 'registers', name: 'reset-control', size: 1, endian: 'little' },
]

function decoder(): (payload: Payload) => string | undefined {
  return configDecoder(CONFIG, registers, (region, offset) =>
    region === ISA ? `ISA port ${hex(offset, 4)}` : 'reset control',
  )
}

/**
 * Function 0. Inputs are PIRQA..PIRQD (1: asserted), outputs the ISA interrupts. Region `isa` is to lie under
 * everything else in PCI I/O space: the bridge decodes subtractively. Its output `reset` is a machine reset.
 */
export const piix4Isa: DeviceModel<Record<string, never>> = {
  type: 'piix4-isa',
  stateVersion: 1,
  regions: () => regions,
  inputs: ['pirqa', 'pirqb', 'pirqc', 'pirqd'],
  outputs: STEERABLE_IRQS.map((irq) => `irq${irq}`),
  create: () => new IsaBridge(),
  decoder,
}
