/**
 * A CD-ROM drive with a disc in it: an ATAPI packet device whose disc is a storage region of the controller's.
 *
 * ATA/ATAPI-7 (T13/1532D), volume 1 for IDENTIFY PACKET DEVICE, volume 2, 9.8 for the PACKET protocols; MMC-5 and SPC-3 for the packets.
 * The disc is one session with one track of data, in sectors of 2048 bytes; nobody takes it out. Not modelled: audio, and what writes.
 */
import { dmaRead, type FieldsOf, field, type Sequence, type StateLayout, type Vt } from '../sdk/mod.ts'
import type { DmaJob, Drive } from './drive.ts'
import { identifyCdrom } from './identify.ts'
import {
  CAPACITY_BYTES,
  capacity,
  eventStatus,
  inquiry,
  modeSense,
  NO_SENSE,
  PACKETS,
  readToc,
  SENSE,
  type Sense,
  senseBytes,
} from './packets.ts'
import { DIAGNOSTIC_PASSED, ERROR, STATUS, TaskFile, taskFileState } from './task-file.ts'

export const DISC_SECTOR_BYTES = 2048
const PACKET_BYTES = 12

/** Such a device is not ready for ATA's own commands. */
const SIGNATURE = { mid: 0x14, high: 0xeb, status: 0 }
const READY = STATUS.DRDY | STATUS.DSC

/** What the count register says of a transfer: a packet, and which way. */
const REASON = { COMMAND: 1, TO_HOST: 2 } as const

const COMMAND = {
  DEVICE_RESET: 0x08,
  EXECUTE_DEVICE_DIAGNOSTIC: 0x90,
  PACKET: 0xa0,
  IDENTIFY_PACKET_DEVICE: 0xa1,
  IDENTIFY_DEVICE: 0xec,
  SET_FEATURES: 0xef,
  /** The idle and standby commands: there is no motor. */
  POWER: [0xe0, 0xe1, 0xe2, 0xe3, 0xe6],
  CHECK_POWER_MODE: 0xe5,
} as const
const SET_TRANSFER_MODE = 0x03
/** Of a PACKET's features: its data go by DMA. */
const BY_DMA = 1

const COMMAND_NS = 1_000
const ACCESS_NS = 100_000
/** 20 MB/s. */
const SECTOR_NS = 102_400

/** The most that is taken from the disc at a time where the host reads it by the data port. */
const MOST_PIO_BYTES = 0xfffe

const cdromFields = {
  taskFile: taskFileState,
  packet: field.bytes(PACKET_BYTES, true),
  /** Of the packet under way: what it has made, where it is about no sectors. */
  made: field.bytes(0x10000),
  /** Bytes on the disc that are still to go to the host: the first, and how many. */
  offset: field.whole(0, 2 ** 44),
  left: field.whole(0, 2 ** 44),
  sense: field.record({ key: field.unsigned(4), code: field.unsigned(8), qualifier: field.unsigned(8) }),
}

/** How a CD-ROM drive is kept in its controller's saved state. */
export const cdromState = field.record(cdromFields)
export type CdromState = FieldsOf<StateLayout<typeof cdromFields>>

export interface CdromProperties {
  /** Of the disc. */
  sectors: number
  /** Up to 20 and 40 characters. */
  serial: string
  model: string
}

/** What becomes of a packet: bytes, of which the host takes so many at most; sectors; or nothing. */
type Answer = { bytes: Uint8Array; most: number } | { first: number; count: number } | { refused: Sense }

export class AtapiCdrom implements Drive {
  readonly taskFile = new TaskFile(SIGNATURE)
  readonly #properties: CdromProperties
  /** The number of the disc's storage region. */
  readonly #region: number
  #state: Omit<CdromState, 'taskFile'> = this.#powerOn()

  constructor(properties: CdromProperties, region: number) {
    this.#properties = properties
    this.#region = region
  }

  reset(): void {
    this.taskFile.sign()
    this.#state = this.#powerOn()
  }

  sign(): void {
    this.taskFile.sign()
  }

  command(opcode: number, device: number, now: Vt): void {
    this.taskFile.begin(opcode, device, now + COMMAND_NS)
    if (opcode === COMMAND.DEVICE_RESET) this.taskFile.sign()
    if (opcode !== COMMAND.PACKET) return
    this.#reason(REASON.COMMAND)
    // No interrupt asks for the packet.
    this.taskFile.ask(PACKET_BYTES, READY, false)
  }

  *event(now: Vt): Sequence<void> {
    const { phase, opcode, count, features } = this.taskFile.state
    if (opcode === COMMAND.PACKET) {
      if (phase === 'block') this.#execute(now)
      else yield* this.#giveData()
    } else if (opcode === COMMAND.IDENTIFY_PACKET_DEVICE) {
      this.#state.left = 0
      this.taskFile.offer(identifyCdrom(this.#properties), READY)
    } else if (opcode === COMMAND.IDENTIFY_DEVICE) {
      // By this a host finds out what it is.
      this.taskFile.sign()
      this.taskFile.complete(READY | STATUS.ERR, ERROR.ABRT)
    } else if (opcode === COMMAND.EXECUTE_DEVICE_DIAGNOSTIC) this.taskFile.complete(SIGNATURE.status, DIAGNOSTIC_PASSED)
    else if (opcode === COMMAND.SET_FEATURES && features.value === SET_TRANSFER_MODE) this.taskFile.complete(READY)
    else if (opcode === COMMAND.CHECK_POWER_MODE) {
      this.taskFile.state.count = { ...count, value: 0xff }
      this.taskFile.complete(READY)
    } else if ((COMMAND.POWER as readonly number[]).includes(opcode)) this.taskFile.complete(READY)
    else this.taskFile.complete(READY | STATUS.ERR, ERROR.ABRT)
  }

  get dmaJob(): DmaJob | undefined {
    if (this.taskFile.state.phase !== 'dma') return undefined
    const { made, offset, left } = this.#state
    if (made.length > 0) return { toMemory: true, made, bytes: made.length }
    return { toMemory: true, region: this.#region, offset, bytes: left }
  }

  dmaDone(): void {
    this.#done()
  }

  readData(size: number, now: Vt): number {
    const { value, isLast } = this.taskFile.readData(size)
    if (!isLast) return value
    if (this.taskFile.state.opcode === COMMAND.PACKET) this.taskFile.wait('command', now + SECTOR_NS)
    else this.taskFile.rest(READY)
    return value
  }

  writeData(size: number, value: number, now: Vt): void {
    if (!this.taskFile.writeData(size, value)) return
    this.#state.packet = this.taskFile.state.buffer
    this.taskFile.wait('block', now + COMMAND_NS)
  }

  /** As it is: for a layout to copy. */
  save(): CdromState {
    return { taskFile: this.taskFile.state, ...this.#state }
  }

  /** Takes what a layout has checked. */
  restore({ taskFile, ...state }: CdromState): void {
    this.taskFile.state = taskFile
    this.#state = state
  }

  #powerOn(): Omit<CdromState, 'taskFile'> {
    const empty = new Uint8Array(0)
    // What a host is to hear first.
    return { packet: new Uint8Array(PACKET_BYTES), made: empty, offset: 0, left: 0, sense: { ...SENSE.RESET } }
  }

  #reason(value: number): void {
    this.taskFile.state.count = { value, deep: 0 }
  }

  /** Carries out the packet that has come, but for moving what it is about. */
  #execute(now: Vt): void {
    const state = this.#state
    const opcode = state.packet[0]!
    const isHeard =
      opcode === PACKETS.REQUEST_SENSE || opcode === PACKETS.INQUIRY || opcode === PACKETS.GET_EVENT_STATUS
    const answer: Answer =
      state.sense.key === SENSE.RESET.key && !isHeard
        ? { refused: state.sense }
        : this.#answer(Buffer.from(state.packet))
    state.made = new Uint8Array(0)
    state.left = 0
    if ('refused' in answer) {
      const { key, code, qualifier } = answer.refused
      state.sense = { key, code, qualifier }
      this.#reason(REASON.COMMAND | REASON.TO_HOST)
      this.taskFile.complete(READY | STATUS.ERR, (key << 4) | ERROR.ABRT)
      return
    }
    // A sense is kept for whoever asks for it, until the next packet; that of a reset until it was told.
    if (opcode === PACKETS.REQUEST_SENSE || state.sense.key !== SENSE.RESET.key) state.sense = { ...NO_SENSE }
    if ('bytes' in answer) state.made = new Uint8Array(answer.bytes.subarray(0, answer.most))
    let accessNs = COMMAND_NS
    if ('count' in answer) {
      state.offset = answer.first * DISC_SECTOR_BYTES
      state.left = answer.count * DISC_SECTOR_BYTES
      accessNs = ACCESS_NS + SECTOR_NS * answer.count
    }
    if (state.made.length + state.left === 0) this.#done()
    else this.taskFile.wait('command', now + accessNs)
  }

  #answer(packet: Buffer): Answer {
    const { model, sectors } = this.#properties
    const answered = (bytes: Uint8Array | undefined, most: number): Answer =>
      bytes === undefined ? { refused: SENSE.INVALID_FIELD } : { bytes, most }
    const run = (first: number, count: number): Answer =>
      first + count > sectors ? { refused: SENSE.OUT_OF_RANGE } : { first, count }
    switch (packet[0]) {
      case PACKETS.TEST_UNIT_READY:
      case PACKETS.START_STOP_UNIT:
      case PACKETS.PREVENT_ALLOW:
      case PACKETS.SEEK_10:
        return answered(new Uint8Array(0), 0)
      case PACKETS.REQUEST_SENSE:
        return answered(senseBytes(this.#state.sense), packet[4]!)
      case PACKETS.INQUIRY:
        return answered(inquiry(model), packet.readUInt16BE(3))
      case PACKETS.MODE_SENSE_10:
        return answered(modeSense(packet[2]!), packet.readUInt16BE(7))
      case PACKETS.READ_CAPACITY:
        return answered(capacity(sectors, DISC_SECTOR_BYTES), CAPACITY_BYTES)
      case PACKETS.READ_TOC:
        return answered(readToc(packet, sectors), packet.readUInt16BE(7))
      case PACKETS.GET_EVENT_STATUS:
        return answered(eventStatus(packet), packet.readUInt16BE(7))
      case PACKETS.READ_10:
        return run(packet.readUInt32BE(2), packet.readUInt16BE(7))
      case PACKETS.READ_12:
        return run(packet.readUInt32BE(2), packet.readUInt32BE(6))
      default:
        return { refused: SENSE.INVALID_OPCODE }
    }
  }

  /** The next bytes for the host, or the end of the packet. */
  *#giveData(): Sequence<void> {
    const state = this.#state
    const { features, mid, high } = this.taskFile.state
    const remaining = state.made.length + state.left
    if (remaining === 0) {
      this.#done()
      return
    }
    if (features.value & BY_DMA) {
      this.taskFile.awaitBusMaster()
      return
    }
    // As many as the host said, and even but for the last.
    const most = mid.value + high.value * 2 ** 8 || MOST_PIO_BYTES
    const bytes = Math.min(remaining, Math.max(2, Math.min(most, MOST_PIO_BYTES) & ~1))
    let some: Uint8Array
    if (state.made.length > 0) {
      some = state.made.slice(0, bytes)
      state.made = state.made.slice(bytes)
    } else {
      some = yield* dmaRead(state.offset, bytes, this.#region)
      state.offset += bytes
      state.left -= bytes
    }
    this.#reason(REASON.TO_HOST)
    this.taskFile.state.mid = { ...mid, value: bytes & 0xff }
    this.taskFile.state.high = { ...high, value: bytes >> 8 }
    this.taskFile.offer(some, READY)
  }

  #done(): void {
    this.#state.made = new Uint8Array(0)
    this.#state.left = 0
    this.#reason(REASON.COMMAND | REASON.TO_HOST)
    this.taskFile.complete(READY)
  }
}
