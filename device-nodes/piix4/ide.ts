/**
 * Intel 82371AB (PIIX4), function 1: IDE controller with two channels (`ata/`) and a bus master for each.
 *
 * 82371AB datasheet, order number 290562-001, chapters 5 and 9; "Programming Interface for Bus Master IDE Controller", revision 1.0.
 * Channels decode the ISA task-file ports while IDETIM enables them.
 *
 * A transfer takes place at one moment, when its drive has done its part and the bus master is started, whichever comes last. Not
 * modelled: the times of cycles that IDETIM, SIDETIM, UDMACTL and UDMATIM set.
 */
import {
  ATA_COMMANDS,
  AtaChannel,
  CONTROL,
  channelState,
  DISC_SECTOR_BYTES,
  type DmaJob,
  type DriveProperties,
  SECTOR_BYTES,
  STATUS,
} from '../ata/mod.ts'
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
  dmaCopy,
  dmaRead,
  dmaWrite,
  field,
  hex,
  type NamedAccess,
  NEVER,
  type Payload,
  type Region,
  registerBits,
  type Sequence,
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
const BMIC = registerBits('BMIC', { START: 1 << 0, READ: 1 << 3 })
/** Bits of BMIS. */
const BMIS = registerBits('BMIS', {
  ACTIVE: 1 << 0,
  ERROR: 1 << 1,
  INTERRUPT: 1 << 2,
  DRIVE0_DMA: 1 << 5,
  DRIVE1_DMA: 1 << 6,
})

/** The bus master's registers of both channels, so many bytes each. */
const CHANNEL_BYTES = 8
const BMIC_AT = 0
const BMIS_AT = 2
const BMIDTP_AT = 4

function busMasterRegisters(): MaskedRegisters {
  return new MaskedRegisters(
    BUS_MASTER_BYTES,
    [0, CHANNEL_BYTES].flatMap((at) => [
      { name: 'BMIC', offset: at + BMIC_AT, size: 1, writable: BMIC.START | BMIC.READ },
      {
        name: 'BMIS',
        offset: at + BMIS_AT,
        size: 1,
        writable: BMIS.DRIVE0_DMA | BMIS.DRIVE1_DMA,
        clearable: BMIS.ERROR | BMIS.INTERRUPT,
      },
      { name: 'BMIDTP', offset: at + BMIDTP_AT, size: 4, writable: 0xfffffffc },
    ]),
  )
}

/** A physical region descriptor: address, bytes (0: 64 KiB), and whether it is the last. */
const DESCRIPTOR_BYTES = 8
const LAST_DESCRIPTOR = 0x8000
const MOST_DESCRIPTOR_BYTES = 0x10000

/** A drive, and where it is connected. */
export type IdeDrive = { channel: 0 | 1; device: 0 | 1 } & DriveProperties

export interface IdeProperties {
  drives: readonly IdeDrive[]
}

/** The name of the region with a drive's contents: `disk0` or `cd0`, and `disk1` or `cd1`, are on the primary channel. */
export function ideStorage({ media, channel, device }: Pick<IdeDrive, 'media' | 'channel' | 'device'>): string {
  return `${media === 'disk' ? 'disk' : 'cd'}${2 * channel + device}`
}

/** Of what a drive's sectors are. */
export const IDE_SECTOR_BYTES = { disk: SECTOR_BYTES, cdrom: DISC_SECTOR_BYTES } as const

const layout = new StateLayout('piix4-ide', {
  config: configSpaceState,
  busMaster: field.bytes(BUS_MASTER_BYTES, true),
  decoded: field.list(field.flag(), 2, true),
  channels: field.list(channelState, 2, true),
  /** Whether each channel's drive asked for an interrupt when that was last looked at. */
  asked: field.list(field.flag(), 2, true),
})

class Ide implements Device {
  readonly #config = new ConfigSpace(definition)
  readonly #busMaster = busMasterRegisters()
  readonly #channels: readonly AtaChannel[]
  /** Whether each channel's ports are mapped. */
  #decoded = [false, false]
  #asked = [false, false]

  constructor({ drives }: IdeProperties) {
    this.#channels = [0, 1].map((number) => {
      const regions = drives.map((properties, i) => ({ properties, region: REGISTER_REGIONS.length + i }))
      const own = regions.filter(({ properties }) => properties.channel === number)
      return new AtaChannel(own.map((drive) => ({ device: drive.properties.device, ...drive })))
    })
  }

  reset(io: DeviceIo): void {
    this.#config.reset(io)
    this.#busMaster.reset()
    for (const channel of this.#channels) channel.reset()
    this.#updateDecoding(io)
    this.#update(io)
  }

  read(region: number, offset: number, size: AccessSize, io: DeviceIo): number {
    if (region === CONFIG || region === BUS_MASTER) {
      io.validUntil(NEVER)
      return region === CONFIG ? this.#config.read(offset, size) : this.#busMaster.read(offset, size)
    }
    const channel = this.#channel(region)
    const value = isControl(region) ? channel.readAlternate(io) : channel.read(offset, size, io)
    this.#update(io)
    return value
  }

  write(region: number, offset: number, size: AccessSize, value: number, io: DeviceIo): void | Sequence<void> {
    if (region === CONFIG) {
      this.#config.write(offset, size, value, io)
      this.#updateDecoding(io)
    } else if (region === BUS_MASTER) return this.#writeBusMaster(offset, size, value, io)
    else {
      const channel = this.#channel(region)
      if (isControl(region)) channel.writeControl(value)
      else channel.write(offset, size, value, io)
      this.#update(io)
    }
  }

  /** A drive has done its part. */
  *event(io: DeviceIo): Sequence<void> {
    for (const [number, channel] of this.#channels.entries()) {
      yield* channel.event(io.now)
      yield* this.#transfer(number)
    }
    this.#update(io)
  }

  save(): DeviceState {
    return layout.save({
      config: this.#config.save(),
      busMaster: this.#busMaster.save(),
      decoded: this.#decoded,
      channels: this.#channels.map((channel) => channel.save()),
      asked: this.#asked,
    })
  }

  restore(state: DeviceState): void {
    const fields = layout.restore(state)
    this.#config.restore(fields.config)
    this.#busMaster.restore(fields.busMaster)
    this.#decoded = fields.decoded
    fields.channels.forEach((channel, number) => {
      this.#channels[number]!.restore(channel)
    })
    this.#asked = fields.asked
  }

  #channel(region: number): AtaChannel {
    return this.#channels[region < SECONDARY_COMMAND ? 0 : 1]!
  }

  *#writeBusMaster(offset: number, size: AccessSize, value: number, io: DeviceIo): Sequence<void> {
    const number = Math.floor(offset / CHANNEL_BYTES)
    const wasStarted = this.#isStarted(number)
    this.#busMaster.write(offset, size, value)
    const isStarted = this.#isStarted(number)
    if (wasStarted !== isStarted) this.#setStatus(number, BMIS.ACTIVE, isStarted)
    yield* this.#transfer(number)
    this.#update(io)
  }

  #isStarted(number: number): boolean {
    return (this.#busMaster.read(CHANNEL_BYTES * number + BMIC_AT, 1) & BMIC.START) !== 0
  }

  #status(number: number): number {
    return this.#busMaster.read(CHANNEL_BYTES * number + BMIS_AT, 1)
  }

  #setStatus(number: number, bits: number, isSet: boolean): void {
    const status = this.#status(number)
    this.#busMaster.put(CHANNEL_BYTES * number + BMIS_AT, 1, isSet ? status | bits : status & ~bits)
  }

  /** Moves what a drive waits for, if the bus master is started and may use the bus. */
  *#transfer(number: number): Sequence<void> {
    const drive = this.#channels[number]!.dmaDrive
    const job = drive?.dmaJob
    const mayMaster = (this.#config.command & pciCommand.BUS_MASTER) !== 0
    if (drive === undefined || job === undefined || !mayMaster || (this.#status(number) & BMIS.ACTIVE) === 0) return
    let descriptorAt = this.#busMaster.read(CHANNEL_BYTES * number + BMIDTP_AT, 4)
    let moved = 0
    for (let isLast = false; moved < job.bytes; descriptorAt += DESCRIPTOR_BYTES) {
      if (isLast) {
        // Too few: the bus master is done, and the drive waits for more.
        this.#setStatus(number, BMIS.ACTIVE, false)
        return
      }
      const descriptor = Buffer.from(yield* dmaRead(descriptorAt, DESCRIPTOR_BYTES))
      const address = (descriptor.readUInt32LE(0) & ~1) >>> 0
      const room = descriptor.readUInt16LE(4) & ~1 || MOST_DESCRIPTOR_BYTES
      isLast = (descriptor.readUInt16LE(6) & LAST_DESCRIPTOR) !== 0
      const bytes = Math.min(room, job.bytes - moved)
      yield* this.#move(job, moved, address, bytes)
      moved += bytes
      // What is left over of descriptors keeps it active.
      if (moved === job.bytes) this.#setStatus(number, BMIS.ACTIVE, !(isLast && bytes === room))
    }
    drive.dmaDone()
  }

  /** So many bytes of a job, from byte `at` of it on, to or from guest memory. */
  *#move(job: DmaJob, at: number, address: number, bytes: number): Sequence<void> {
    if ('made' in job) {
      yield* dmaWrite(address, job.made.subarray(at, at + bytes))
      return
    }
    const onDrive = { target: job.region, address: job.offset + at }
    if (job.toMemory) yield* dmaCopy(onDrive, { address }, bytes)
    else yield* dmaCopy({ address }, onDrive, bytes)
  }

  /** Lines and timer from the drives' states; the bus master notes when a drive begins to ask for an interrupt. */
  #update(io: DeviceIo): void {
    for (const [number, channel] of this.#channels.entries()) {
      if (channel.interrupt && !this.#asked[number]) this.#setStatus(number, BMIS.INTERRUPT, true)
      this.#asked[number] = channel.interrupt
      io.line(number === 0 ? 'irq14' : 'irq15', channel.line)
    }
    io.timer(Math.min(...this.#channels.map(({ due }) => due)))
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

const REGISTER_REGIONS: readonly Region[] = [
  { kind: 'registers', name: 'config', size: 256, endian: 'little' },
  { kind: 'registers', name: 'bus-master', size: BUS_MASTER_BYTES, endian: 'little' },
  { kind: 'registers', name: 'primary-command', size: 8, endian: 'little' },
  { kind: 'registers', name: 'primary-control', size: 1, endian: 'little' },
  { kind: 'registers', name: 'secondary-command', size: 8, endian: 'little' },
  { kind: 'registers', name: 'secondary-control', size: 1, endian: 'little' },
]

function isControl(region: number): boolean {
  return region === PRIMARY_CONTROL || region === SECONDARY_CONTROL
}

const TASK_FILE = ['data', 'error/features', 'sector count', 'LBA low', 'LBA mid', 'LBA high', 'device'] as const
const STATUS_COMMAND = 7

const commandName = (value: number) => ATA_COMMANDS.get(value)?.name ?? hex(value)

/** Words for what a channel is told and tells: commands and status by name. */
function taskFileName(region: number, offset: number, kind: 'read' | 'write'): NamedAccess {
  const channel = region < SECONDARY_COMMAND ? 'primary' : 'secondary'
  if (isControl(region)) {
    if (kind === 'read') return { register: `${channel} alternate status`, words: STATUS.names }
    return { register: `${channel} control`, words: CONTROL.names }
  }
  if (offset !== STATUS_COMMAND) return { register: `${channel} ${TASK_FILE[offset]}` }
  if (kind === 'read') return { register: `${channel} status`, words: STATUS.names }
  return { register: `${channel} command`, words: commandName }
}

const BUS_MASTER_NAMES: Readonly<Record<number, NamedAccess>> = {
  [BMIC_AT]: { register: 'BMIC', words: BMIC.names },
  [BMIS_AT]: { register: 'BMIS', words: BMIS.names },
  [BMIDTP_AT]: { register: 'BMIDTP' },
}

function busMasterName(offset: number): NamedAccess {
  const channel = offset < CHANNEL_BYTES ? 'P' : 'S'
  const named = BUS_MASTER_NAMES[offset % CHANNEL_BYTES] ?? { register: hex(offset) }
  return { ...named, register: `${named.register}${channel}` }
}

function decoder(): (payload: Payload) => string | undefined {
  return configDecoder(CONFIG, registers, (region, offset, kind) =>
    region === BUS_MASTER ? busMasterName(offset) : taskFileName(region, offset, kind),
  )
}

/** Function 1. Its task-file ports map themselves; `irq14` and `irq15` are the channels' interrupts. */
export const piix4Ide: DeviceModel<IdeProperties> = {
  type: 'piix4-ide',
  stateVersion: 2,
  regions: ({ drives }) => [
    ...REGISTER_REGIONS,
    ...drives.map(
      (drive): Region => ({
        kind: 'storage',
        name: ideStorage(drive),
        size: drive.sectors * IDE_SECTOR_BYTES[drive.media],
      }),
    ),
  ],
  inputs: [],
  outputs: ['irq14', 'irq15'],
  create: (properties) => new Ide(properties),
  decoder,
}
