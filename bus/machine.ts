/**
 * A board with its CPU: clock, backing memory, address map, and the bytes loaded at power-on. What a live bus and a
 * `cpu` replay have in common.
 */
import type { Board, LoadedBytes } from './board.ts'
import { Clock } from './clock.ts'
import type { Cpu } from './cpu.ts'
import { CpuSide, type Exchange } from './cpu-side.ts'
import { BoardError, findMemory, type Layout, layoutBoard } from './layout.ts'

/** Makes the CPU node of a board. The bus knows no CPU itself. */
export type CreateCpu = (options: { board: Board['cpu']; clock: Clock; backingBytes: number }) => Cpu

export interface Machine {
  layout: Layout
  clock: Clock
  cpu: Cpu
  cpuSide: CpuSide
  /** Says what stands in memory at power-on: before that. Throws a `BoardError` where something does not fit. */
  load(loads: readonly LoadedBytes[]): void
  /** Puts that into memory. */
  fillMemory(): void
  /** Power-on and reset of the CPU node: the board's address map, the loaded bytes, the CPU's own reset. */
  resetCpu(): void
}

/**
 * Puts a board together. `exchange` takes the CPU's accesses to devices. Nothing is reset or loaded yet.
 * Throws a `BoardError` where the board contradicts itself.
 */
export function buildMachine(board: Board, createCpu: CreateCpu, exchange: Exchange): Machine {
  const layout = layoutBoard(board)
  let placed: { backing: number; bytes: Uint8Array }[] = []
  const clock = new Clock(board.nsPerInstruction, board.gridNs, board.hashNs)
  const cpu = createCpu({ board: board.cpu, clock, backingBytes: layout.backingBytes })
  const cpuSide = new CpuSide(layout, clock, cpu, exchange)
  const fillMemory = () => {
    for (const { backing, bytes } of placed) cpu.writeBacking(backing, bytes)
  }
  return {
    layout,
    clock,
    cpu,
    cpuSide,
    load(loads) {
      placed = loads.map(({ memory, offset, bytes }) => {
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
