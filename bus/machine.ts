/**
 * A board with its CPU: clock, backing memory, address map, and the bytes loaded at power-on. What a live bus and a
 * `cpu` replay have in common.
 */
import type { Overlay } from './block-store.ts'
import type { Board, Load, LoadedImage } from './board.ts'
import { Clock } from './clock.ts'
import { MachineContents } from './contents.ts'
import type { Cpu } from './cpu.ts'
import { CpuSide, type Exchange } from './cpu-side.ts'
import { BoardError, findMemory, type Layout, layoutBoard } from './layout.ts'
import { type HashBlock, Storage } from './storage.ts'

/** Makes the CPU node of a board. The bus knows no CPU itself. */
export type CreateCpu = (options: { board: Board['cpu']; clock: Clock; backingBytes: number }) => Cpu

export interface Machine {
  layout: Layout
  clock: Clock
  cpu: Cpu
  cpuSide: CpuSide
  contents: MachineContents
  /** Says what stands in memory and on disks at power-on: before that. Throws a `BoardError` where something does not fit. */
  load(loads: readonly Load[]): void
  /** Puts that into memory. */
  fillMemory(): void
  /** Power-on and reset of the CPU node: the board's address map, the loaded bytes, the CPU's own reset. */
  resetCpu(): void
}

/**
 * Puts a board together. `exchange` takes the CPU's accesses to devices. Nothing is reset or loaded yet.
 * `overlay`: what the host has for what is written to disks; absent: memory without a bound.
 * Throws a `BoardError` where the board contradicts itself.
 */
export function buildMachine(board: Board, createCpu: CreateCpu, exchange: Exchange, overlay?: Overlay): Machine {
  const layout = layoutBoard(board)
  let placed: { backing: number; bytes: Uint8Array }[] = []
  const clock = new Clock(board.nsPerInstruction, board.gridNs, board.hashNs)
  const cpu = createCpu({ board: board.cpu, clock, backingBytes: layout.backingBytes })
  // Each disk has its share of the memory.
  const share = overlay && { ...overlay, memoryBytes: overlay.memoryBytes / layout.storages.length }
  const hashBlock: HashBlock = (bytes, number) => cpu.hashPage(bytes, number)
  const storages = layout.storages.map(({ name, bytes }) => new Storage(name, bytes, hashBlock, share))
  const cpuSide = new CpuSide(layout, clock, cpu, storages, exchange)
  const fillMemory = () => {
    for (const { backing, bytes } of placed) cpu.writeBacking(backing, bytes)
  }
  return {
    layout,
    clock,
    cpu,
    cpuSide,
    contents: new MachineContents(cpu, layout.backingBytes, storages),
    load(loads) {
      for (const load of loads) if ('storage' in load) attach(storages, load)
      const inMemory = loads.filter((load) => 'memory' in load)
      placed = inMemory.map(({ memory, offset, bytes }) => {
        const found = findMemory(layout, memory)
        if (offset < 0 || offset + bytes.length > found.size) {
          throw new BoardError(`${bytes.length} bytes at ${offset} do not fit into ${memory}, which has ${found.size}`)
        }
        return { backing: found.offset + offset, bytes }
      })
    },
    fillMemory,
    resetCpu() {
      fillMemory()
      cpu.reset()
      cpuSide.reset()
    },
  }
}

function attach(storages: readonly Storage[], { storage: name, image }: LoadedImage): void {
  const storage = storages.find((each) => each.name === name)
  if (storage === undefined) throw new BoardError(`there is no storage ${name}`)
  if (image.bytes > storage.bytes) {
    throw new BoardError(`an image of ${image.bytes} bytes does not fit into ${name}, which has ${storage.bytes}`)
  }
  storage.image = image
}
