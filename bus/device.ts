/**
 * What a device is to the bus. A device author imports these through `device-nodes/sdk`.
 *
 * A device is a deterministic function: state and message in, state and effects out. It has no clock but `io.now`, no
 * randomness, no I/O. The same source runs inline, in a process of its own, and alone against a journal.
 */
import type { AccessSize, MapMode, NodeName, Payload, Vt } from './message.ts'

/** Asks for `length` bytes of guest memory (or of the device's own region `target`); resumes with a `Uint8Array`. */
export interface DmaReadRequest {
  request: 'dmaRead'
  target: number
  address: number
  length: number
}

export interface DmaWriteRequest {
  request: 'dmaWrite'
  target: number
  address: number
  bytes: Uint8Array
}

/**
 * Moves bytes between guest memory and the device's own regions, or within one: as a `dmaRead` and a `dmaWrite` would, without the
 * device seeing them or the log having them.
 */
export interface DmaCopyRequest {
  request: 'dmaCopy'
  from: number
  fromAddress: number
  to: number
  toAddress: number
  length: number
}

/** A read or write of another device's register, at this same vt; a read resumes with the value. */
export interface AccessRequest {
  request: 'access'
  dst: NodeName
  access: Extract<Payload, { kind: 'read' | 'write' }>
}

export type Request = DmaReadRequest | DmaWriteRequest | DmaCopyRequest | AccessRequest

/**
 * A handler that needs an answer from elsewhere before it can go on. Author it with the helpers of the SDK:
 * `const bytes = yield* dmaRead(address, length)`.
 */
export type Sequence<T> = Generator<Request, T, Uint8Array | number | undefined>

/** The effects a handler may have. They take place in the order given, after the handler has returned. */
export interface DeviceIo {
  /** Virtual time now. */
  readonly now: Vt
  /** Drives the output named `output` to `level`. Driving it to the level it has is no effect. */
  line(output: string, level: 0 | 1 | boolean): void
  /** Sets the device's one timer; `NEVER` clears it. An `event` follows when it is due. */
  timer(due: Vt): void
  /** Bytes or one frame for the world. */
  output(bytes: Uint8Array): void
  /** Maps, moves or unmaps a region. `length` and `offset` default to the whole region. */
  map(region: number, space: string, base: number, mode: MapMode, length?: number, offset?: number): void
  /**
   * Promises, from within `read`, that the register reads the same until `vt` unless this device is sent another
   * message before. `NEVER`: only a message changes it. Not to be used where reading has a side effect.
   */
  validUntil(vt: Vt): void
  /** Says, for the device's author, that the guest did something that the model does not do. Never changes a run. */
  unhandled(what: string): void
}

/** A device's state: plain objects, arrays, numbers, strings, booleans, null and `Uint8Array`s. */
export type DeviceState = Record<string, unknown>

export interface Device {
  reset(io: DeviceIo): void
  read(region: number, offset: number, size: AccessSize, io: DeviceIo, index?: number): number | Sequence<number>
  write(
    region: number,
    offset: number,
    size: AccessSize,
    value: number,
    io: DeviceIo,
    index?: number,
  ): void | Sequence<void>
  /** The timer that this device set is due. */
  event?(io: DeviceIo): void | Sequence<void>
  /** Input `wire` (an index into the model's `inputs`) changed. */
  line?(wire: number, level: 0 | 1, io: DeviceIo): void
  /** Bytes or a frame from the world. */
  input?(bytes: Uint8Array, io: DeviceIo): void | Sequence<void>
  save(): DeviceState
  /** Throws a `StateError` where `state` is not one that `save` of this version made. */
  restore(state: DeviceState): void
}

/** A run of registers, reached by messages. */
export interface RegisterRegion {
  kind: 'registers'
  name: string
  size: number
  /** Widths the device wants to see: wider accesses are split, narrower ones widened. Both default to what the guest used. */
  minBytes?: AccessSize
  maxBytes?: AccessSize
  /**
   * `little`: the byte at the lowest address is the least significant one, whatever the CPU's byte order.
   * `native`: a full-width access gives the same value on a CPU of either byte order.
   */
  endian: 'little' | 'native'
  /**
   * Index/data pairs: the index register is kept on the CPU side, where writing or reading it is no message; its value
   * travels with each access to the data registers.
   */
  indexed?: {
    index: { offset: number; size: AccessSize; mask: number; initial: number }
    data: { offset: number; size: number }
  }
}

/** Memory that the device owns and the guest uses like RAM or ROM. */
export interface MemoryRegion {
  kind: 'memory'
  name: string
  size: number
}

/**
 * What a disk holds. The guest does not see it: the device's DMA does, by the region's number. Power-on finds in it what the board
 * was loaded with; a reset changes nothing.
 */
export interface StorageRegion {
  kind: 'storage'
  name: string
  size: number
}

/** A window onto another address space: what is mapped at `offset` there appears here. */
export interface WindowRegion {
  kind: 'window'
  name: string
  size: number
  space: string
}

export type Region = RegisterRegion | MemoryRegion | StorageRegion | WindowRegion

/** One kind of device. The module that defines a device exports one. */
export interface DeviceModel<Properties = unknown> {
  /** What a board calls it, for example `uart16550`. */
  readonly type: string
  /** Version of the saved state's layout. */
  readonly stateVersion: number
  /** The regions of a device with these properties, in the order that `read` and `write` number them. */
  regions(properties: Properties): readonly Region[]
  /** Names of the wires into the device; messages carry the index. */
  readonly inputs: readonly string[]
  /** Names of the wires that the device drives. */
  readonly outputs: readonly string[]
  create(properties: Properties): Device
  /**
   * A decoder for people: turns each message of one device, given in order, into words such as `IER <- RDI|THRI`.
   * It may keep what it needs to know between messages (a DLAB bit). `undefined`: nothing to add.
   */
  decoder?(properties: Properties): (payload: Payload) => string | undefined
}

/** A saved state that a device cannot take. */
export class StateError extends Error {
  override readonly name = 'StateError'
}
