/**
 * A replay of some mode, as `replay` drives it.
 */
import type { Cpu, MachineContents, NodeName, Vt } from '../bus/mod.ts'
import type { ReplaySlice } from './cpu-replay.ts'

export interface ReplayPosition {
  icount: number
  vt: Vt
  /** Entries agreed with so far. */
  entries: number
  /** The CPU's program counter, where there is a CPU. */
  pc?: number
}

/** Named counts of a CPU node. */
export type Statistics = Readonly<Record<string, number>>

export interface Runner {
  /** Runs until it `isOver`. Throws a `DivergenceError`. */
  slice(isOver: () => boolean): ReplaySlice | Promise<ReplaySlice>
  position(): ReplayPosition
  /** How much is done in all, where that is more than what has been agreed with. Default: as `position` says. */
  progress?(): ReplayPosition
  /** The run's digest, when the replay came to the end and has a CPU. */
  digest?(identity: string): string | Promise<string>
  /** Of the machine, where there is one and it is here. */
  contents?(): MachineContents
  /** Of the CPU node, where there is one. */
  statistics?(): Statistics
  /** The final states of the devices that were run. */
  deviceStates(): Record<NodeName, string>
}

export function positionOf(replay: { icount: number; vt: Vt; cursor: number }, cpu: Cpu): ReplayPosition {
  return { icount: replay.icount, vt: replay.vt, entries: replay.cursor, pc: cpu.pc }
}
