/**
 * An ATA disk: the task file's commands, and its sectors, which are a storage region of the controller's.
 *
 * ATA/ATAPI-7 (T13/1532D), volumes 1 and 2. Not modelled: security, SMART, the host protected area, streaming and tagged queues,
 * which IDENTIFY DEVICE does not offer either; media errors.
 *
 * A command takes a fixed time, and so long for each sector: what a guest that waits for it can do meanwhile. A disk of today is about
 * as fast.
 */
import assert from 'node:assert/strict'
import {
  dmaRead,
  dmaWrite,
  type FieldsOf,
  field,
  NEVER,
  registerBits,
  type Sequence,
  type StateLayout,
  type Vt,
} from '../sdk/mod.ts'
import { ATA_COMMANDS, type AtaCommand } from './commands.ts'
import { type DiskIdentity, geometryOf, identifyDisk, MOST_MULTIPLE, SECTOR_BYTES } from './identify.ts'

export const STATUS = registerBits('STATUS', { BSY: 0x80, DRDY: 0x40, DF: 0x20, DSC: 0x10, DRQ: 0x08, ERR: 0x01 })
export const ERROR = registerBits('ERROR', { IDNF: 0x10, ABRT: 0x04 })
const READY = STATUS.DRDY | STATUS.DSC

/** Bits of the device register: which drive, and how sectors are addressed. */
export const DEVICE = { DEV: 0x10, LBA: 0x40, HEAD: 0x0f } as const

/** The task file's registers that a command takes, by their offsets; the last five are two deep. */
const REGISTERS = ['features', 'count', 'low', 'mid', 'high'] as const
const FEATURES_AT = 1

/** What a drive answers when it was reset: a disk, device 0 or 1, that found nothing wrong with itself. */
const DIAGNOSTIC_PASSED = 0x01

const COMMAND_NS = 1_000
const ACCESS_NS = 20_000
const FLUSH_NS = 100_000
/** 100 MB/s. */
const SECTOR_NS = 5_120

const MOST_SECTORS = 2 ** 48
const MOST_BUFFER_BYTES = MOST_MULTIPLE * SECTOR_BYTES

const PHASES = ['idle', 'command', 'dataIn', 'dataOut', 'block', 'dma'] as const

/** `deep`: what was written before, of registers that are two deep. */
const register = field.record({ value: field.unsigned(8), deep: field.unsigned(8) })

const diskFields = {
  features: register,
  count: register,
  low: register,
  mid: register,
  high: register,
  error: field.unsigned(8),
  status: field.unsigned(8),
  interrupt: field.flag(),
  /** What it is at: `command` and `block` are done at `due`, the data phases by the host, `dma` by the bus master. */
  phase: field.oneOf(PHASES),
  due: field.vt(),
  /** The command under way, or the last. */
  opcode: field.unsigned(8),
  device: field.unsigned(8),
  /** The first sector that is still to be moved, and how many are. */
  sector: field.whole(0, MOST_SECTORS),
  left: field.whole(0, 2 ** 16),
  /** The block that the host reads or writes, and how much of it was. */
  buffer: field.bytes(MOST_BUFFER_BYTES),
  at: field.whole(0, MOST_BUFFER_BYTES),
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

/** A run of sectors that the bus master is to move. */
export interface DmaJob {
  toMemory: boolean
  /** The controller's, with the drive's contents. */
  region: number
  offset: number
  bytes: number
}

export class AtaDisk {
  readonly #properties: DiskProperties
  /** The number of its storage region. */
  readonly #target: number
  #state: DiskState

  constructor(properties: DiskProperties, target: number) {
    this.#properties = properties
    this.#target = target
    this.#state = this.#powerOn()
  }

  get due(): Vt {
    return this.#state.due
  }

  get status(): number {
    return this.#state.status
  }

  /** Whether it asks for an interrupt. */
  get interrupt(): boolean {
    return this.#state.interrupt
  }

  acknowledge(): void {
    this.#state.interrupt = false
  }

  reset(): void {
    this.#state = this.#powerOn()
  }

  /** As after a reset by software or EXECUTE DEVICE DIAGNOSTIC: what was set stays. */
  sign(): void {
    const state = this.#state
    const { heads, track, multiple, multiwordMode, ultraMode, writeCache, lookAhead } = state
    const settings = { heads, track, multiple, multiwordMode, ultraMode, writeCache, lookAhead }
    this.#state = { ...this.#powerOn(), ...settings }
  }

  /** A register of the task file but status; `deep`: what was written there before. */
  read(offset: number, deep: boolean): number {
    if (offset === FEATURES_AT) return this.#state.error
    const name = REGISTERS[offset - FEATURES_AT]
    assert(name !== undefined)
    return deep ? this.#state[name].deep : this.#state[name].value
  }

  write(offset: number, value: number): void {
    const name = REGISTERS[offset - FEATURES_AT]
    assert(name !== undefined)
    if (this.#state.status & (STATUS.BSY | STATUS.DRQ)) return
    this.#state[name] = { value, deep: this.#state[name].value }
  }

  /** Begins a command. */
  command(opcode: number, device: number, now: Vt): void {
    const state = this.#state
    state.opcode = opcode
    state.device = device
    state.interrupt = false
    state.error = 0
    state.isStandby &&= opcode === 0xe5
    const command = ATA_COMMANDS.get(opcode)
    if (command?.about === 'sectors') this.#locate(command)
    state.phase = 'command'
    state.status = STATUS.BSY
    state.due = now + this.#commandNs(command)
    if (command?.transfer === 'pioOut' && this.#mayAccess(command)) this.#askForBlock(false)
  }

  /** What is due. A command of DMA then waits for the bus master: see `dmaJob`. */
  *event(): Sequence<void> {
    const state = this.#state
    state.due = NEVER
    const command = ATA_COMMANDS.get(state.opcode)
    if (state.phase === 'block') yield* this.#storeBlock()
    else if (command === undefined) this.#abort()
    else if (command.about === 'sectors' && !this.#mayAccess(command)) this.#refuse(command)
    else if (command.transfer === 'pioIn') yield* this.#fetchBlock(command)
    else if (command.transfer === 'none') this.#execute(command)
    // Of several sectors a block, and nobody said how many.
    else if (command.transfer === 'pioOut') this.#abort()
    else state.phase = 'dma'
  }

  /** What the bus master is to move now, if anything. */
  get dmaJob(): DmaJob | undefined {
    const { phase, opcode, sector, left } = this.#state
    if (phase !== 'dma') return undefined
    const toMemory = ATA_COMMANDS.get(opcode)?.transfer === 'dmaIn'
    return { toMemory, region: this.#target, offset: sector * SECTOR_BYTES, bytes: left * SECTOR_BYTES }
  }

  /** The job was done, all of it. */
  dmaDone(): void {
    this.#state.left = 0
    this.#complete()
  }

  /** `size` bytes of the data port. */
  readData(size: number, now: Vt): number {
    const state = this.#state
    if (state.phase !== 'dataIn') return 0
    let value = 0
    for (let i = 0; i < size; i++) value += (state.buffer[state.at + i] ?? 0) * 2 ** (8 * i)
    state.at = Math.min(state.at + size, state.buffer.length)
    if (state.at < state.buffer.length) return value
    if (state.left === 0) this.#rest()
    else {
      state.phase = 'command'
      state.status = STATUS.BSY
      state.due = now + SECTOR_NS
    }
    return value
  }

  writeData(size: number, value: number, now: Vt): void {
    const state = this.#state
    if (state.phase !== 'dataOut') return
    for (let i = 0; i < size && state.at < state.buffer.length; i++) {
      state.buffer[state.at++] = Math.floor(value / 2 ** (8 * i)) & 0xff
    }
    if (state.at < state.buffer.length) return
    state.phase = 'block'
    state.status = STATUS.BSY
    state.due = now + SECTOR_NS
  }

  /** As it is: for a layout to copy. */
  save(): DiskState {
    return this.#state
  }

  /** Takes what a layout has checked. */
  restore(state: DiskState): void {
    this.#state = state
  }

  #powerOn(): DiskState {
    const { heads, sectors: track } = geometryOf(this.#properties.sectors)
    const empty = { value: 0, deep: 0 }
    const one = { value: 1, deep: 0 }
    return {
      features: empty,
      count: one,
      low: one,
      mid: empty,
      high: empty,
      error: DIAGNOSTIC_PASSED,
      status: READY,
      interrupt: false,
      phase: 'idle',
      due: NEVER,
      opcode: 0,
      device: 0,
      sector: 0,
      left: 0,
      buffer: new Uint8Array(0),
      at: 0,
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
    const { count, low, mid, high, device } = state
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
    if (command.about === 'drive') state.buffer = this.#identify()
    else {
      const count = this.#blockSectors(command)
      if (count === 0) {
        this.#abort()
        return
      }
      const bytes = yield* dmaRead(state.sector * SECTOR_BYTES, count * SECTOR_BYTES, this.#target)
      state.buffer = new Uint8Array(bytes)
      state.sector += count
      state.left -= count
    }
    state.at = 0
    state.phase = 'dataIn'
    state.status = READY | STATUS.DRQ
    state.interrupt = true
  }

  /** The host is to write the next block. There is no interrupt for the first. */
  #askForBlock(interrupts: boolean): void {
    const state = this.#state
    const command = ATA_COMMANDS.get(state.opcode)
    assert(command !== undefined)
    const count = this.#blockSectors(command)
    // Not set up: what is due aborts.
    if (count === 0) return
    state.buffer = new Uint8Array(count * SECTOR_BYTES)
    state.at = 0
    state.phase = 'dataOut'
    state.status = READY | STATUS.DRQ
    state.due = NEVER
    state.interrupt = interrupts
  }

  *#storeBlock(): Sequence<void> {
    const state = this.#state
    yield* dmaWrite(state.sector * SECTOR_BYTES, state.buffer, this.#target)
    const count = state.buffer.length / SECTOR_BYTES
    state.sector += count
    state.left -= count
    if (state.left > 0) this.#askForBlock(true)
    else this.#complete()
  }

  /** 0: several sectors a block were asked for, and nobody said how many. */
  #blockSectors({ isMultiple }: AtaCommand): number {
    const { left, multiple } = this.#state
    return Math.min(left, isMultiple ? multiple : 1)
  }

  #identify(): Uint8Array<ArrayBuffer> {
    const { heads, track, multiple, multiwordMode, ultraMode, writeCache, lookAhead } = this.#state
    const { sectors } = this.#properties
    const cylinders = Math.min(geometryOf(sectors).cylinders, Math.floor(sectors / (heads * track)))
    const geometry = { cylinders, heads, sectors: track }
    return identifyDisk(this.#properties, { geometry, multiple, multiwordMode, ultraMode, writeCache, lookAhead })
  }

  /** A command without data. */
  #execute({ name }: AtaCommand): void {
    const state = this.#state
    switch (name) {
      case 'EXECUTE DEVICE DIAGNOSTIC':
        this.#complete()
        state.error = DIAGNOSTIC_PASSED
        return
      case 'INITIALIZE DEVICE PARAMETERS':
        if (state.count.value === 0) {
          this.#abort()
          return
        }
        state.track = state.count.value
        state.heads = (state.device & DEVICE.HEAD) + 1
        break
      case 'SET MULTIPLE MODE': {
        const { value } = state.count
        if (value > MOST_MULTIPLE || (value & (value - 1)) !== 0) {
          this.#abort()
          return
        }
        state.multiple = value
        break
      }
      case 'SET FEATURES':
        if (!this.#setFeature(state.features.value, state.count.value)) {
          this.#abort()
          return
        }
        break
      case 'CHECK POWER MODE':
        state.count = { value: state.isStandby ? 0x00 : 0xff, deep: 0 }
        break
      case 'STANDBY':
      case 'STANDBY IMMEDIATE':
      case 'SLEEP':
        state.isStandby = true
    }
    this.#complete()
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
      case 0xcc:
        // Whether a reset by software sets back what was set: it does not.
        return feature === 0x66
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
    this.#complete()
    this.#state.error = error
    this.#state.status |= STATUS.ERR
  }

  #complete(): void {
    this.#rest()
    this.#state.interrupt = true
  }

  #rest(): void {
    const state = this.#state
    state.phase = 'idle'
    state.status = READY
    state.due = NEVER
    state.buffer = new Uint8Array(0)
    state.at = 0
  }
}

function isWrite(transfer: AtaCommand['transfer']): boolean {
  return transfer === 'pioOut' || transfer === 'dmaOut'
}
