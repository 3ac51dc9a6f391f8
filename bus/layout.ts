/**
 * A board worked out: devices and wires by number, and where each memory stands in the machine's backing memory.
 */
import type { Board, Placement } from './board.ts'
import type { Region } from './device.ts'
import { BUS, CPU, type NodeName, SCRIPT, WORLD } from './message.ts'

/** A board that contradicts itself. The message says where. */
export class BoardError extends Error {
  override readonly name = 'BoardError'
}

/** Backing memories start at multiples of this, so that every page of them can be mapped. */
export const PAGE_BYTES = 4096

/** One device as the bus sees it: `number` is its place in the board's order. */
export interface DeviceSlot {
  number: number
  name: NodeName
  regions: readonly Region[]
  /** By region number: where a memory region stands in the backing memory; -1 for other regions. */
  backing: readonly number[]
  /** By region number: which of the layout's storages a storage region is; -1 for other regions. */
  storages: readonly number[]
  /** By output number: where its wires lead, in the board's order. */
  wires: readonly (readonly WireEnd[])[]
  isPower: boolean
}

/** The far end of a wire: input `wire` of device number `device`, or of the CPU where that is `CPU_END`. */
export interface WireEnd {
  device: number
  wire: number
}

export const CPU_END = -1

/** An initial placement, by numbers. `device` is -1 for a board memory, whose `region` is its number. */
export interface NumberedPlacement {
  device: number
  region: number
  placement: Placement
}

export interface Layout {
  board: Board
  devices: readonly DeviceSlot[]
  byName: ReadonlyMap<NodeName, DeviceSlot>
  /** By board memory number: its place in the backing memory. */
  memoryBacking: readonly number[]
  placements: readonly NumberedPlacement[]
  /** What the devices' storage regions hold, in the board's order: names (`device.region`) and sizes. */
  storages: readonly { name: string; bytes: number }[]
  /** Bytes of backing memory: board memories, then the devices' memory regions, each from a page boundary. */
  backingBytes: number
}

/** Throws a `BoardError` where the board contradicts itself. */
export function layoutBoard(board: Board): Layout {
  let backingBytes = 0
  const allot = (size: number): number => {
    const offset = backingBytes
    backingBytes += Math.ceil(size / PAGE_BYTES) * PAGE_BYTES
    return offset
  }
  const storages: { name: string; bytes: number }[] = []
  const memoryBacking = board.memories.map(({ size }) => allot(size))
  const names = new Map<NodeName, number>()
  for (const { name } of board.devices) {
    if (names.has(name) || [CPU, BUS, WORLD, SCRIPT].includes(name) || name.includes('.')) {
      throw new BoardError(`${board.name}: a device cannot be called ${name}, or is so twice`)
    }
    names.set(name, names.size)
  }
  const devices = board.devices.map(({ name, model, properties }, number): DeviceSlot => {
    const regions = model.regions(properties as never)
    const backing = regions.map((region) => (region.kind === 'memory' ? allot(region.size) : -1))
    const ownStorages = regions.map((region) =>
      region.kind === 'storage' ? storages.push({ name: `${name}.${region.name}`, bytes: region.size }) - 1 : -1,
    )
    return {
      number,
      name,
      regions,
      backing,
      storages: ownStorages,
      wires: wiresOf(board, names, number),
      isPower: board.power.includes(name),
    }
  })
  checkWires(board, names)
  const byName = new Map(devices.map((slot) => [slot.name, slot]))
  const placements = board.placements.map((placement) => numberPlacement(board, byName, placement))
  for (const name of [board.console, ...board.power]) {
    if (!names.has(name)) throw new BoardError(`${board.name}: there is no device ${name}`)
  }
  return { board, devices, byName, memoryBacking, placements, storages, backingBytes }
}

/** Where `memory` (`device.region` or a board memory) stands: its backing offset and size. */
export function findMemory(layout: Layout, memory: string): { offset: number; size: number } {
  const { board } = layout
  const number = board.memories.findIndex(({ name }) => name === memory)
  const offset = layout.memoryBacking[number]
  const size = board.memories[number]?.size
  if (offset !== undefined && size !== undefined) return { offset, size }
  const { slot, region } = findRegion(board, layout.byName, memory)
  const found = slot.regions[region]
  const backing = slot.backing[region]
  if (found?.kind !== 'memory' || backing === undefined) throw new BoardError(`${board.name}: ${memory} is no memory`)
  return { offset: backing, size: found.size }
}

function findRegion(board: Board, byName: ReadonlyMap<NodeName, DeviceSlot>, name: string) {
  const [deviceName = '', regionName = ''] = name.split('.')
  const slot = byName.get(deviceName)
  const region = slot?.regions.findIndex((candidate) => candidate.name === regionName) ?? -1
  if (slot === undefined || region < 0) throw new BoardError(`${board.name}: there is no region or memory ${name}`)
  return { slot, region }
}

function numberPlacement(
  board: Board,
  byName: ReadonlyMap<NodeName, DeviceSlot>,
  placement: Placement,
): NumberedPlacement {
  const memory = board.memories.findIndex(({ name }) => name === placement.region)
  if (memory >= 0) {
    if (placement.mode === 'registers') throw new BoardError(`${board.name}: ${placement.region} has no registers`)
    return { device: -1, region: memory, placement }
  }
  const { slot, region } = findRegion(board, byName, placement.region)
  const kind = slot.regions[region]?.kind
  if (kind === 'storage') throw new BoardError(`${board.name}: ${placement.region} is not to be seen by the CPU`)
  if (kind !== 'memory' && placement.mode !== 'registers') {
    throw new BoardError(`${board.name}: ${placement.region} is no memory, so it is placed as registers`)
  }
  return { device: slot.number, region, placement }
}

function wiresOf(board: Board, names: ReadonlyMap<NodeName, number>, number: number): WireEnd[][] {
  const from = board.devices[number]
  if (from === undefined) return []
  return from.model.outputs.map((output) =>
    board.wires
      .filter((wire) => wire.from === `${from.name}.${output}`)
      .map(({ to }): WireEnd => {
        const [name = '', input = ''] = to.split('.')
        if (name === CPU && /^\d+$/.test(input)) return { device: CPU_END, wire: Number(input) }
        const device = names.get(name) ?? -1
        const wire = board.devices[device]?.model.inputs.indexOf(input) ?? -1
        if (wire < 0) throw new BoardError(`${board.name}: there is no input ${to}`)
        return { device, wire }
      }),
  )
}

function checkWires(board: Board, names: ReadonlyMap<NodeName, number>): void {
  for (const { from } of board.wires) {
    const [name = '', output = ''] = from.split('.')
    const device = board.devices[names.get(name) ?? -1]
    if (!device?.model.outputs.includes(output)) throw new BoardError(`${board.name}: there is no output ${from}`)
  }
}
