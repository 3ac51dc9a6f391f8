/**
 * An ATA disk: the task file's commands, and its sectors, which are a storage region of the controller's.
 *
 * ATA/ATAPI-7 (T13/1532D), volumes 1 and 2. Not modelled: security, SMART, the host protected area, streaming and tagged queues,
 * which IDENTIFY DEVICE does not offer either; media errors.
 *
 * A command takes a fixed time, and so long for each sector: what a guest that waits for it can do meanwhile. A disk of today is about
 * as fast.
 */
import { dmaRead, dmaWrite, type FieldsOf, field, type Sequence, type StateLayout, type Vt } from '../sdk/mod.ts'
import { ATA_COMMANDS, type AtaCommand } from './commands.ts'
import type { DmaJob, Drive } from './drive.ts'
import { type DiskIdentity, geometryOf, identifyDisk, MOST_MULTIPLE, SECTOR_BYTES } from './identify.ts'
import { DIAGNOSTIC_PASSED, ERROR, STATUS, TaskFile, taskFileState } from './task-file.ts'

const READY = STATUS.DRDY | STATUS.DSC
const SIGNATURE = { mid: 0, high: 0, status: READY }

/** Bits of the device register: how sectors are addressed. */
const DEVICE = { LBA: 0x40, HEAD: 0x0f } as const

const COMMAND_NS = 1_000
const ACCESS_NS = 20_000
const FLUSH_NS = 100_000
/** 100 MB/s. */
const SECTOR_NS = 5_120

const MOST_SECTORS = 2 ** 48
const CHECK_POWER_MODE = 0xe5

const diskFields = {
  taskFile: taskFileState,
  /** The first sector that is still to be moved, and how many are. */
  sector: field.whole(0, MOST_SECTORS),
  left: field.whole(0, 2 ** 16),
  heads: field.whole(1, 16),
  track: field.whole(1, 255),
  multiple: field.whole(0, MOST_MULTIPLE),
  multiwordMode: field.whole(-1, 2),
  ultraMode: field.whole(-1, 5),
  writeCache: field.flag(),
  lookAhead: field.flag(),
  isStandby: field.flag(),
}

/** How a disk is kept in its controller's saved state. */
export const diskState = field.record(diskFields)
export type DiskState = FieldsOf<StateLayout<typeof diskFields>>

export interface DiskProperties extends DiskIdentity {
  isReadOnly: boolean
}

export class AtaDisk implements Drive {
  readonly taskFile = new TaskFile(SIGNATURE)
  readonly #properties: DiskProperties
  /** The number of its storage region. */
  readonly #region: number
  #state: Omit<DiskState, 'taskFile'>

  constructor(properties: DiskProperties, region: number) {
    this.#properties = properties
    this.#region = region
    this.#state = this.#powerOn()
  }

  reset(): void {
    this.taskFile.sign()
    this.#state = this.#powerOn()
  }

  sign(): void {
    this.taskFile.sign()
    this.#state.isStandby = false
  }

  command(opcode: number, device: number, now: Vt): void {
    const command = ATA_COMMANDS.get(opcode)
    this.taskFile.begin(opcode, device, now)
    this.#state.isStandby &&= opcode === CHECK_POWER_MODE
    if (command?.about === 'sectors') this.#locate(command)
    this.taskFile.wait('command', now + this.#commandNs(command))
    if (command?.transfer === 'pioOut' && this.#mayAccess(command)) this.#askForBlock(command, false)
  }

  *event(): Sequence<void> {
    const { phase, opcode } = this.taskFile.state
    const command = ATA_COMMANDS.get(opcode)
    if (command === undefined) this.#abort()
    else if (phase === 'block') yield* this.#storeBlock(command)
    else if (command.about === 'sectors' && !this.#mayAccess(command)) this.#refuse(command)
    else if (command.transfer === 'pioIn') yield* this.#fetchBlock(command)
    else if (command.transfer === 'none') this.#execute(command)
    // Of several sectors a block, and nobody said how many.
    else if (command.transfer === 'pioOut') this.#abort()
    else this.taskFile.awaitBusMaster()
  }

  get dmaJob(): DmaJob | undefined {
    const { phase, opcode } = this.taskFile.state
    if (phase !== 'dma') return undefined
    const { sector, left } = this.#state
    const toMemory = ATA_COMMANDS.get(opcode)?.transfer === 'dmaIn'
    return { toMemory, region: this.#region, offset: sector * SECTOR_BYTES, bytes: left * SECTOR_BYTES }
  }

  dmaDone(): void {
    this.#state.left = 0
    this.taskFile.complete(READY)
  }

  readData(size: number, now: Vt): number {
    const { value, isLast } = this.taskFile.readData(size)
    if (isLast && this.#state.left === 0) this.taskFile.rest(READY)
    else if (isLast) this.taskFile.wait('command', now + SECTOR_NS)
    return value
  }

  writeData(size: number, value: number, now: Vt): void {
    if (this.taskFile.writeData(size, value)) this.taskFile.wait('block', now + SECTOR_NS)
  }

  /** As it is: for a layout to copy. */
  save(): DiskState {
    return { taskFile: this.taskFile.state, ...this.#state }
  }

  /** Takes what a layout has checked. */
  restore({ taskFile, ...state }: DiskState): void {
    this.taskFile.state = taskFile
    this.#state = state
  }

  #powerOn(): Omit<DiskState, 'taskFile'> {
    const { heads, sectors: track } = geometryOf(this.#properties.sectors)
    return {
      sector: 0,
      left: 0,
      heads,
      track,
      multiple: 0,
      multiwordMode: -1,
      ultraMode: -1,
      writeCache: true,
      lookAhead: true,
      isStandby: false,
    }
  }

  #commandNs(command: AtaCommand | undefined): number {
    if (command?.about === 'sectors') {
      const isWhole = command.transfer !== 'pioIn'
      return ACCESS_NS + SECTOR_NS * (isWhole ? this.#state.left : 1)
    }
    return command?.name.startsWith('FLUSH') ? FLUSH_NS : COMMAND_NS
  }

  /** Which sectors the command is about: of 48 bits, of 28, or by cylinder, head and sector. */
  #locate({ isExtended }: AtaCommand): void {
    const state = this.#state
    const { count, low, mid, high, device } = this.taskFile.state
    const lowest = low.value + mid.value * 2 ** 8 + high.value * 2 ** 16
    if (isExtended) {
      state.sector = lowest + low.deep * 2 ** 24 + mid.deep * 2 ** 32 + high.deep * 2 ** 40
      state.left = count.value + count.deep * 2 ** 8 || 2 ** 16
      return
    }
    state.left = count.value || 2 ** 8
    const head = device & DEVICE.HEAD
    if (device & DEVICE.LBA) state.sector = lowest + head * 2 ** 24
    else {
      const cylinder = mid.value + high.value * 2 ** 8
      // There is no sector 0: it is behind the last.
      const isSector = low.value > 0 && low.value <= state.track && head < state.heads
      state.sector = isSector ? (cylinder * state.heads + head) * state.track + low.value - 1 : MOST_SECTORS - 1
    }
  }

  #mayAccess({ transfer }: AtaCommand): boolean {
    const { sector, left } = this.#state
    const { sectors, isReadOnly } = this.#properties
    return sector + left <= sectors && !(isReadOnly && isWrite(transfer))
  }

  #refuse({ transfer }: AtaCommand): void {
    const isProtected = this.#properties.isReadOnly && isWrite(transfer)
    this.#fail(isProtected ? ERROR.ABRT : ERROR.IDNF)
  }

  *#fetchBlock(command: AtaCommand): Sequence<void> {
    const state = this.#state
    if (command.about === 'drive') {
      state.left = 0
      this.taskFile.offer(this.#identify(), READY)
      return
    }
    const count = this.#blockSectors(command)
    if (count === 0) {
      this.#abort()
      return
    }
    const bytes = yield* dmaRead(state.sector * SECTOR_BYTES, count * SECTOR_BYTES, this.#region)
    this.taskFile.offer(bytes, READY)
    state.sector += count
    state.left -= count
  }

  /** The host is to write the next block. There is no interrupt for the first. */
  #askForBlock(command: AtaCommand, interrupts: boolean): void {
    const count = this.#blockSectors(command)
    // Not set up: what is due aborts.
    if (count > 0) this.taskFile.ask(count * SECTOR_BYTES, READY, interrupts)
  }

  *#storeBlock(command: AtaCommand): Sequence<void> {
    const state = this.#state
    const { buffer } = this.taskFile.state
    yield* dmaWrite(state.sector * SECTOR_BYTES, buffer, this.#region)
    const count = buffer.length / SECTOR_BYTES
    state.sector += count
    state.left -= count
    if (state.left > 0) this.#askForBlock(command, true)
    else this.taskFile.complete(READY)
  }

  /** 0: several sectors a block were asked for, and nobody said how many. */
  #blockSectors({ isMultiple }: AtaCommand): number {
    const { left, multiple } = this.#state
    return Math.min(left, isMultiple ? multiple : 1)
  }

  #identify(): Uint8Array {
    const { heads, track, ...settings } = this.#state
    const { sectors } = this.#properties
    const cylinders = Math.min(geometryOf(sectors).cylinders, Math.floor(sectors / (heads * track)))
    return identifyDisk(this.#properties, { ...settings, geometry: { cylinders, heads, sectors: track } })
  }

  /** A command without data. */
  #execute({ name }: AtaCommand): void {
    const state = this.#state
    const { count, features, device } = this.taskFile.state
    let error = 0
    let isKnown = true
    switch (name) {
      case 'EXECUTE DEVICE DIAGNOSTIC':
        error = DIAGNOSTIC_PASSED
        break
      case 'INITIALIZE DEVICE PARAMETERS':
        isKnown = count.value > 0
        if (!isKnown) break
        state.track = count.value
        state.heads = (device & DEVICE.HEAD) + 1
        break
      case 'SET MULTIPLE MODE':
        isKnown = count.value <= MOST_MULTIPLE && (count.value & (count.value - 1)) === 0
        if (isKnown) state.multiple = count.value
        break
      case 'SET FEATURES':
        isKnown = this.#setFeature(features.value, count.value)
        break
      case 'CHECK POWER MODE':
        this.taskFile.state.count = { value: state.isStandby ? 0x00 : 0xff, deep: 0 }
        break
      case 'STANDBY':
      case 'STANDBY IMMEDIATE':
      case 'SLEEP':
        state.isStandby = true
    }
    if (isKnown) this.taskFile.complete(READY, error)
    else this.#abort()
  }

  /** Whether there is such a feature. */
  #setFeature(feature: number, value: number): boolean {
    const state = this.#state
    switch (feature) {
      case 0x02:
      case 0x82:
        state.writeCache = feature === 0x02
        return true
      case 0x55:
      case 0xaa:
        state.lookAhead = feature === 0xaa
        return true
      case 0x66:
        // A reset by software leaves what was set, always.
        return true
      case 0x03:
        return this.#setTransferMode(value >> 3, value & 7)
      default:
        return false
    }
  }

  /** Kinds of modes: 0 and 1 are of PIO, 4 of multiword DMA, 8 of Ultra DMA. */
  #setTransferMode(kind: number, mode: number): boolean {
    const state = this.#state
    if (kind === 4 && mode <= 2) {
      state.multiwordMode = mode
      state.ultraMode = -1
    } else if (kind === 8 && mode <= 5) {
      state.ultraMode = mode
      state.multiwordMode = -1
    } else return (kind === 0 && mode <= 1) || (kind === 1 && mode <= 4)
    return true
  }

  #abort(): void {
    this.#fail(ERROR.ABRT)
  }

  #fail(error: number): void {
    this.taskFile.complete(READY | STATUS.ERR, error)
  }
}

function isWrite(transfer: AtaCommand['transfer']): boolean {
  return transfer === 'pioOut' || transfer === 'dmaOut'
}
