/**
 * Intel 82371AB (PIIX4), function 1: IDE controller with two channels and nothing connected to either.
 *
 * 82371AB datasheet, order number 290562-001, chapter 5; ATA/ATAPI-4 (T13/1153D) for what a host reads from a channel
 * without drives. Channels decode the ISA task-file ports while IDETIM enables them.
 *
 * Not modelled yet: drives, and so interrupts and bus-master transfers: starting one is reported as unhandled.
 */
import {
  ConfigSpace,
  configDecoder,
  configSpaceState,
  MaskedRegisters,
  PCI_IO_SPACE,
  pciCommand,
  pciStatus,
} from '../pci/mod.ts'
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

/** Region numbers; the channel regions are in pairs, primary first. */
const CONFIG = 0
const BUS_MASTER = 1
const PRIMARY_COMMAND = 2
const PRIMARY_CONTROL = 3
const SECONDARY_COMMAND = 4
const SECONDARY_CONTROL = 5

const BUS_MASTER_BYTES = 16

/** Offsets of IDETIM, one for each channel, and the bit that makes the channel decode. */
const IDETIM = [0x40, 0x42] as const
const IDETIM_IDE_DECODE_ENABLE = 0x8000

/** The task files of a PC. */
const channels = [
  { command: PRIMARY_COMMAND, commandPort: 0x1f0, control: PRIMARY_CONTROL, controlPort: 0x3f6 },
  { command: SECONDARY_COMMAND, commandPort: 0x170, control: SECONDARY_CONTROL, controlPort: 0x376 },
] as const

/** The host pulls DD7 down, so that a channel without drives is never busy; the other data lines float high. */
const EMPTY_CHANNEL = [0x7f, 0xff, 0x7f, 0xff] as const

const registers = [
  { name: 'IDETIM primary', offset: 0x40, size: 2, writable: 0xf3ff },
  { name: 'IDETIM secondary', offset: 0x42, size: 2, writable: 0xf3ff },
  { name: 'SIDETIM', offset: 0x44, size: 1, writable: 0xff },
  { name: 'UDMACTL', offset: 0x48, size: 1, writable: 0x0f },
  { name: 'UDMATIM', offset: 0x4a, size: 2, writable: 0x3333 },
] as const

const definition = {
  vendorId: 0x8086,
  deviceId: 0x7111,
  revisionId: 0x00,
  classCode: 0x010180,
  status: pciStatus.FAST_BACK_TO_BACK | pciStatus.DEVSEL_MEDIUM,
  commandWritable: pciCommand.IO_SPACE | pciCommand.BUS_MASTER,
  bars: [{ index: 4, kind: 'io', size: BUS_MASTER_BYTES, region: BUS_MASTER }],
  registers,
} as const

/** Bits of BMIC. */
const busMasterCommand = { START: 1 << 0, READ: 1 << 3 }
/** Bits of BMIS. */
const busMasterStatus = { ERROR: 1 << 1, INTERRUPT: 1 << 2, DRIVE0_DMA: 1 << 5, DRIVE1_DMA: 1 << 6 }

/** The bus master's registers of both channels, 8 bytes each. */
function busMasterRegisters(): MaskedRegisters {
  return new MaskedRegisters(
    BUS_MASTER_BYTES,
    [0, 8].flatMap((at) => [
      { name: 'BMIC', offset: at, size: 1, writable: busMasterCommand.START | busMasterCommand.READ },
      {
        name: 'BMIS',
        offset: at + 2,
        size: 1,
        writable: busMasterStatus.DRIVE0_DMA | busMasterStatus.DRIVE1_DMA,
        clearable: busMasterStatus.ERROR | busMasterStatus.INTERRUPT,
      },
      { name: 'BMIDTP', offset: at + 4, size: 4, writable: 0xfffffffc },
    ]),
  )
}

const layout = new StateLayout('piix4-ide', {
  config: configSpaceState,
  busMaster: field.bytes(BUS_MASTER_BYTES, true),
  decoded: field.list(field.flag(), 2),
})

class Ide implements Device {
  readonly #config = new ConfigSpace(definition)
  readonly #busMaster = busMasterRegisters()
  /** Whether each channel's ports are mapped. */
  #decoded = [false, false]

  reset(io: DeviceIo): void {
    this.#config.reset(io)
    this.#busMaster.reset()
    this.#updateDecoding(io)
  }

  read(region: number, offset: number, size: AccessSize, io: DeviceIo): number {
    io.validUntil(NEVER)
    if (region === CONFIG) return this.#config.read(offset, size)
    if (region === BUS_MASTER) return this.#busMaster.read(offset, size)
    return EMPTY_CHANNEL.slice(0, size).reduce<number>((value, byte, i) => value + byte * 2 ** (8 * i), 0)
  }

  write(region: number, offset: number, size: AccessSize, value: number, io: DeviceIo): void {
    if (region === CONFIG) {
      this.#config.write(offset, size, value, io)
      this.#updateDecoding(io)
    } else if (region === BUS_MASTER) {
      this.#busMaster.write(offset, size, value)
      if ((offset & 7) === 0 && value & busMasterCommand.START) {
        io.unhandled('a bus-master transfer is started on a channel without drives')
      }
    }
    // What is written to a channel without drives is lost.
  }

  save(): DeviceState {
    return layout.save({ config: this.#config.save(), busMaster: this.#busMaster.save(), decoded: this.#decoded })
  }

  restore(state: DeviceState): void {
    const fields = layout.restore(state)
    this.#config.restore(fields.config)
    this.#busMaster.restore(fields.busMaster)
    this.#decoded = fields.decoded
  }

  /** A channel answers at its ports while I/O is enabled and its IDETIM says so. */
  #updateDecoding(io: DeviceIo): void {
    channels.forEach(({ command, commandPort, control, controlPort }, channel) => {
      const enabled = (this.#config.read(IDETIM[channel]!, 2) & IDETIM_IDE_DECODE_ENABLE) !== 0
      const decodes = enabled && (this.#config.command & pciCommand.IO_SPACE) !== 0
      if (decodes === this.#decoded[channel]) return
      this.#decoded[channel] = decodes
      const mode = decodes ? 'registers' : 'off'
      io.map(command, PCI_IO_SPACE, commandPort, mode)
      io.map(control, PCI_IO_SPACE, controlPort, mode)
    })
  }
}

const regions: readonly Region[] = [
  { kind: 'registers', name: 'config', size: 256, endian: 'little' },
  { kind: 'registers', name: 'bus-master', size: BUS_MASTER_BYTES, endian: 'little' },
  { kind: 'registers', name: 'primary-command', size: 8, endian: 'little' },
  { kind: 'registers', name: 'primary-control', size: 1, endian: 'little' },
  { kind: 'registers', name: 'secondary-command', size: 8, endian: 'little' },
  { kind: 'registers', name: 'secondary-control', size: 1, endian: 'little' },
]

const TASK_FILE = [
  'data',
  'error/features',
  'sector count',
  'LBA low',
  'LBA mid',
  'LBA high',
  'device',
  'status/command',
]

function decoder(): (payload: Payload) => string | undefined {
  return configDecoder(CONFIG, registers, (region, offset) => {
    if (region === BUS_MASTER) {
      const name = { 0: 'BMIC', 2: 'BMIS', 4: 'BMIDTP' }[offset & 7] ?? hex(offset)
      return `${name}${offset < 8 ? 'P' : 'S'}`
    }
    const channel = region < SECONDARY_COMMAND ? 'primary' : 'secondary'
    const isControl = region === PRIMARY_CONTROL || region === SECONDARY_CONTROL
    return `${channel} ${isControl ? 'alternate status/control' : TASK_FILE[offset]}`
  })
}

/** Function 1. Its task-file ports map themselves. */
export const piix4Ide: DeviceModel<Record<string, never>> = {
  type: 'piix4-ide',
  stateVersion: 1,
  regions: () => regions,
  inputs: [],
  outputs: [],
  create: () => new Ide(),
  decoder,
}
