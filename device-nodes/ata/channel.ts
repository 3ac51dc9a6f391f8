/**
 * One channel of a parallel ATA interface: a task file's registers, and up to two drives behind them, of which one answers.
 *
 * ATA/ATAPI-7 (T13/1532D), volume 2, chapters 7 and 9. Both drives take what is written to the registers; what is read comes from the
 * selected one. Where that is missing, device 0 answers in its place with a status of 0.
 */
import type { DeviceIo, Sequence, Vt } from '../sdk/mod.ts'
import { type FieldsOf, field, NEVER, registerBits, StateError, type StateLayout } from '../sdk/mod.ts'
import { AtapiCdrom, type CdromProperties, cdromState } from './cdrom.ts'
import { AtaDisk, type DiskProperties, diskState } from './disk.ts'
import type { Drive } from './drive.ts'
import { STATUS } from './task-file.ts'

/** The bit of the device register that says which drive. */
const DEVICE_1 = 0x10
/** Offsets in the command block. */
const DATA = 0
const DEVICE_AT = 6
const STATUS_AT = 7

/** Bits of the device control register. */
export const CONTROL = registerBits('CONTROL', { HOB: 0x80, SRST: 0x04, nIEN: 0x02 })

/** A host pulls DD7 down, so that a channel without drives is never busy; the other data lines float high. */
const NOTHING = [0x7f, 0xff, 0x7f, 0xff] as const

const DEVICE_RESET = 0x08
const EXECUTE_DEVICE_DIAGNOSTIC = 0x90

const channelFields = {
  device: field.unsigned(8),
  control: field.unsigned(8),
  disks: field.list(field.nullable(diskState), 2, true),
  cdroms: field.list(field.nullable(cdromState), 2, true),
}

/** How a channel is kept in its controller's saved state. */
export const channelState = field.record(channelFields)
export type ChannelState = FieldsOf<StateLayout<typeof channelFields>>

/** A drive of a channel: device 0 or 1, and the region of the controller's with its contents. */
export interface ChannelDrive {
  device: 0 | 1
  region: number
  properties: DriveProperties
}

export type DriveProperties = ({ media: 'disk' } & DiskProperties) | ({ media: 'cdrom' } & CdromProperties)

export class AtaChannel {
  readonly #drives: readonly [AtaDisk | AtapiCdrom | undefined, AtaDisk | AtapiCdrom | undefined]
  #device = 0
  #control = 0

  constructor(drives: readonly ChannelDrive[]) {
    const drive = (number: 0 | 1) => {
      const found = drives.find(({ device }) => device === number)
      if (found === undefined) return undefined
      const { properties, region } = found
      return properties.media === 'disk' ? new AtaDisk(properties, region) : new AtapiCdrom(properties, region)
    }
    this.#drives = [drive(0), drive(1)]
  }

  get due(): Vt {
    return Math.min(...this.#drives.map((drive) => drive?.taskFile.state.due ?? NEVER))
  }

  /** Whether the selected drive asks for an interrupt, enabled or not. */
  get interrupt(): boolean {
    return this.#selected?.taskFile.state.interrupt ?? false
  }

  /** The level of the channel's interrupt. */
  get line(): boolean {
    return this.interrupt && (this.#control & CONTROL.nIEN) === 0
  }

  /** The drive that the bus master would move something for. */
  get dmaDrive(): Drive | undefined {
    return this.#selected?.dmaJob === undefined ? undefined : this.#selected
  }

  reset(): void {
    this.#device = 0
    this.#control = 0
    for (const drive of this.#drives) drive?.reset()
  }

  /** What is due. */
  *event(now: Vt): Sequence<void> {
    for (const drive of this.#drives)
      if (drive !== undefined && drive.taskFile.state.due <= now) yield* drive.event(now)
  }

  /** A read of the command block. Of `size` registers, or of the data port. */
  read(offset: number, size: number, io: DeviceIo): number {
    if (offset === DATA && this.#selected !== undefined) return this.#selected.readData(size, io.now)
    let value = 0
    let changes = false
    for (let i = 0; i < size; i++) {
      const at = offset + i
      changes ||= at === STATUS_AT && this.interrupt
      value += this.#register(at, i) * 2 ** (8 * i)
    }
    const selected = this.#selected
    if (!changes) io.validUntil(NEVER)
    else if (selected !== undefined) selected.taskFile.state.interrupt = false
    return value
  }

  /** The alternate status: reading it acknowledges nothing. */
  readAlternate(io: DeviceIo): number {
    io.validUntil(NEVER)
    return this.#register(STATUS_AT, 0)
  }

  write(offset: number, size: number, value: number, io: DeviceIo): void {
    if (offset === DATA) {
      this.#selected?.writeData(size, value, io.now)
      return
    }
    for (let i = 0; i < size; i++) this.#writeRegister(offset + i, Math.floor(value / 2 ** (8 * i)) & 0xff, io)
  }

  /** The device control register. */
  writeControl(value: number): void {
    const starts = value & ~this.#control & CONTROL.SRST
    this.#control = value
    if (starts === 0) return
    this.#device = 0
    for (const drive of this.#drives) drive?.sign()
  }

  save(): ChannelState {
    const disks = this.#drives.map((drive) => (drive instanceof AtaDisk ? drive.save() : null))
    const cdroms = this.#drives.map((drive) => (drive instanceof AtapiCdrom ? drive.save() : null))
    return { device: this.#device, control: this.#control, disks, cdroms }
  }

  restore({ device, control, disks, cdroms }: ChannelState): void {
    this.#device = device
    this.#control = control
    this.#drives.forEach((drive, number) => {
      const [disk, cdrom] = [disks[number] ?? null, cdroms[number] ?? null]
      if (drive instanceof AtaDisk !== (disk !== null) || drive instanceof AtapiCdrom !== (cdrom !== null)) {
        throw new StateError(`the state is of a channel with another device ${number}`)
      }
      if (drive instanceof AtaDisk && disk !== null) drive.restore(disk)
      if (drive instanceof AtapiCdrom && cdrom !== null) drive.restore(cdrom)
    })
  }

  get #selected(): AtaDisk | AtapiCdrom | undefined {
    return this.#drives[this.#device & DEVICE_1 ? 1 : 0]
  }

  get #isEmpty(): boolean {
    return this.#drives.every((drive) => drive === undefined)
  }

  #register(offset: number, lane: number): number {
    if (this.#isEmpty) return NOTHING[lane as 0 | 1 | 2 | 3]
    // Bits 7 and 5 are obsolete, and were always set.
    if (offset === DEVICE_AT) return this.#device | 0xa0
    if (offset === STATUS_AT) {
      if (this.#control & CONTROL.SRST) return STATUS.BSY
      return this.#selected?.taskFile.state.status ?? 0
    }
    if (offset === DATA) return 0
    const drive = this.#selected ?? this.#drives[0]
    return drive?.taskFile.read(offset, (this.#control & CONTROL.HOB) !== 0) ?? 0
  }

  #writeRegister(offset: number, value: number, io: DeviceIo): void {
    this.#control &= ~CONTROL.HOB
    if (this.#control & CONTROL.SRST) return
    if (offset === DEVICE_AT) this.#device = value
    else if (offset === STATUS_AT) this.#command(value, io)
    else if (offset !== DATA) for (const drive of this.#drives) drive?.taskFile.write(offset, value)
  }

  #command(opcode: number, io: DeviceIo): void {
    if (opcode === EXECUTE_DEVICE_DIAGNOSTIC) {
      // Both carry it out, and device 0 answers.
      this.#device = 0
      for (const drive of this.#drives) drive?.sign()
      this.#drives[0]?.command(opcode, 0, io.now)
      return
    }
    const drive = this.#selected
    if (drive === undefined) return
    // A packet device is reset even where it is busy.
    const isReset = drive instanceof AtapiCdrom && opcode === DEVICE_RESET
    if (drive.taskFile.state.status & STATUS.BSY && !isReset) return
    drive.command(opcode, this.#device, io.now)
  }
}
