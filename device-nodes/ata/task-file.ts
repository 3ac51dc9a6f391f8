/**
 * A drive's registers and its data port, and how far it is with a command: what disks and packet devices have in common.
 *
 * ATA/ATAPI-7 (T13/1532D), volume 1, 5.3 and 6.1; volume 2, chapter 9 for the phases.
 */
import assert from 'node:assert/strict'
import { type FieldsOf, field, NEVER, registerBits, type StateLayout, type Vt } from '../sdk/mod.ts'

export const STATUS = registerBits('STATUS', { BSY: 0x80, DRDY: 0x40, DF: 0x20, DSC: 0x10, DRQ: 0x08, ERR: 0x01 })
export const ERROR = registerBits('ERROR', { IDNF: 0x10, ABRT: 0x04 })

/** The registers that a command takes, by their offsets from `FEATURES_AT` on; each is two deep. */
const REGISTERS = ['features', 'count', 'low', 'mid', 'high'] as const
const FEATURES_AT = 1

/** What a drive that found nothing wrong with itself says in the error register. */
export const DIAGNOSTIC_PASSED = 0x01

/** The most that the data port takes or gives without the drive's doing something. */
export const MOST_BUFFER_BYTES = 0x10000

const PHASES = ['idle', 'command', 'dataIn', 'dataOut', 'block', 'dma'] as const

/** `deep`: what was written before. */
const register = field.record({ value: field.unsigned(8), deep: field.unsigned(8) })

const taskFileFields = {
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
  /** What the host reads or writes, and how much of it was. */
  buffer: field.bytes(MOST_BUFFER_BYTES),
  at: field.whole(0, MOST_BUFFER_BYTES),
}

/** How a task file is kept in its controller's saved state. */
export const taskFileState = field.record(taskFileFields)
export type TaskFileState = FieldsOf<StateLayout<typeof taskFileFields>>

/** What tells kinds of drives apart after a reset: the cylinder registers, and the status. */
export interface Signature {
  mid: number
  high: number
  status: number
}

export class TaskFile {
  readonly #signature: Signature
  state: TaskFileState

  constructor(signature: Signature) {
    this.#signature = signature
    this.state = this.#signed()
  }

  /** As after a reset. */
  sign(): void {
    this.state = this.#signed()
  }

  /** A register but status; `deep`: what was written there before. */
  read(offset: number, deep: boolean): number {
    if (offset === FEATURES_AT) return this.state.error
    const name = REGISTERS[offset - FEATURES_AT]
    assert(name !== undefined)
    return deep ? this.state[name].deep : this.state[name].value
  }

  /** A drive that is busy, or waits for data, takes nothing. */
  write(offset: number, value: number): void {
    const name = REGISTERS[offset - FEATURES_AT]
    assert(name !== undefined)
    if (this.state.status & (STATUS.BSY | STATUS.DRQ)) return
    this.state[name] = { value, deep: this.state[name].value }
  }

  /** A command has come. It is done at `due`. */
  begin(opcode: number, device: number, due: Vt): void {
    const { state } = this
    state.opcode = opcode
    state.device = device
    state.interrupt = false
    state.error = 0
    this.wait('command', due)
  }

  /** Busy until `due`. */
  wait(phase: 'command' | 'block', due: Vt): void {
    const { state } = this
    state.phase = phase
    state.status = STATUS.BSY
    state.due = due
  }

  /** The drive has done its part of a command of DMA. */
  awaitBusMaster(): void {
    this.state.phase = 'dma'
    this.state.due = NEVER
  }

  /** The host is to read `bytes`. */
  offer(bytes: Uint8Array, status: number): void {
    this.#exchange('dataIn', new Uint8Array(bytes), status)
    this.state.interrupt = true
  }

  /** The host is to write so many bytes. */
  ask(bytes: number, status: number, interrupts: boolean): void {
    this.#exchange('dataOut', new Uint8Array(bytes), status)
    this.state.interrupt = interrupts
  }

  /** `size` bytes of the data port. Returns whether they were the last of what was offered, too. */
  readData(size: number): { value: number; isLast: boolean } {
    const { state } = this
    if (state.phase !== 'dataIn') return { value: 0, isLast: false }
    let value = 0
    for (let i = 0; i < size; i++) value += (state.buffer[state.at + i] ?? 0) * 2 ** (8 * i)
    state.at = Math.min(state.at + size, state.buffer.length)
    return { value, isLast: state.at === state.buffer.length }
  }

  /** Returns whether all that was asked for has come. */
  writeData(size: number, value: number): boolean {
    const { state } = this
    if (state.phase !== 'dataOut') return false
    for (let i = 0; i < size && state.at < state.buffer.length; i++) {
      state.buffer[state.at++] = Math.floor(value / 2 ** (8 * i)) & 0xff
    }
    return state.at === state.buffer.length
  }

  /** The command is done. */
  complete(status: number, error = 0): void {
    this.rest(status)
    this.state.error = error
    this.state.interrupt = true
  }

  /** There is nothing to do. */
  rest(status: number): void {
    const { state } = this
    state.phase = 'idle'
    state.status = status
    state.due = NEVER
    state.buffer = new Uint8Array(0)
    state.at = 0
  }

  #exchange(phase: 'dataIn' | 'dataOut', buffer: Uint8Array<ArrayBuffer>, status: number): void {
    const { state } = this
    state.phase = phase
    state.status = status | STATUS.DRQ
    state.due = NEVER
    state.buffer = buffer
    state.at = 0
  }

  #signed(): TaskFileState {
    const { mid, high, status } = this.#signature
    const holding = (value: number) => ({ value, deep: 0 })
    return {
      features: holding(0),
      count: holding(1),
      low: holding(1),
      mid: holding(mid),
      high: holding(high),
      error: DIAGNOSTIC_PASSED,
      status,
      interrupt: false,
      phase: 'idle',
      due: NEVER,
      opcode: 0,
      device: 0,
      buffer: new Uint8Array(0),
      at: 0,
    }
  }
}
