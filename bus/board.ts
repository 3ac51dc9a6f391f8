/**
 * A board: a machine's description as data. What is not here, a machine does not have.
 */
import type { DeviceModel } from './device.ts'
import type { NodeName } from './message.ts'
import type { StorageImage } from './storage.ts'

/** One device of a board. */
export interface BoardDevice {
  name: NodeName
  // A board mixes models whose property types differ; each is paired with its own by `device()`.
  model: DeviceModel<never>
  properties: unknown
}

/** Pairs a model with properties of its type. */
export function device<P>(name: NodeName, model: DeviceModel<P>, properties: P): BoardDevice {
  return { name, model: model as DeviceModel<never>, properties }
}

/** `from` (`uart0.irq`) drives `to` (`pic0.ir4`, or `cpu.2`: a CPU's hardware interrupt number). */
export interface Wire {
  from: string
  to: string
}

/** Where a device's region stands at power-on. Devices may move it with `map`. */
export interface Placement {
  /** `device.region`, or the name of a board memory. */
  region: string
  space: string
  base: number
  length?: number
  offset?: number
  mode: 'registers' | 'ram' | 'rom'
}

/** Memory of the board itself: RAM, or a ROM with its contents. */
export interface BoardMemory {
  name: string
  size: number
}

/** Bytes put into a board memory, or a device's memory (`device.region`), before power-on and again at a reset. */
export interface LoadedBytes {
  memory: string
  offset: number
  bytes: Uint8Array
}

/** What a device's storage region (`device.region`) holds at power-on. */
export interface LoadedImage {
  storage: string
  image: StorageImage
}

/** What stands in memory, or on a disk, at power-on. */
export type Load = LoadedBytes | LoadedImage

export interface Board {
  name: string
  /** The CPU's model and byte order, for the CPU node. */
  cpu: { model: string; endian: 'little' | 'big' }
  nsPerInstruction: number
  /** Distance of the grid's points, where inputs may enter. */
  gridNs: number
  /** Distance of the points at which the CPU's registers are hashed, busy or not: a multiple of `gridNs`. */
  hashNs: number
  memories: readonly BoardMemory[]
  /** In the fixed order that decides between events due at the same vt. */
  devices: readonly BoardDevice[]
  wires: readonly Wire[]
  /** Later placements lie over earlier ones. The CPU's own space is `memory`. */
  placements: readonly Placement[]
  /** What reads as 0 and ignores writes where nothing is mapped, `[from, to)` in the CPU's space; elsewhere: bus error. */
  openBus: { from: number; to: number }
  /** The device output that is the console, and the one that asks for power-off (`off`) or reset (`reset`). */
  console: NodeName
  power: readonly NodeName[]
}

/** The CPU's physical address space. */
export const MEMORY_SPACE = 'memory'
