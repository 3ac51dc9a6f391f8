/**
 * What a session needs to build a machine.
 */
import { type Board, BUS, CPU, type CreateCpu, type LoadedBytes, type NodeName, SCRIPT, WORLD } from '../bus/mod.ts'

export interface MachineSpec {
  board: Board
  /** What stands in memory at power-on, and again after a reset. */
  loads: readonly LoadedBytes[]
  createCpu: CreateCpu
}

/** The same for a replay, which may ask for what stands in memory when there is a CPU that has begun to get ready. */
export interface RecordedMachine extends Omit<MachineSpec, 'loads'> {
  loads: readonly LoadedBytes[] | (() => Promise<readonly LoadedBytes[]>)
}

/** The node names of a board's journal, in the fixed order of a manifest's table. */
export function nodeNames(board: Board): NodeName[] {
  return [CPU, BUS, WORLD, SCRIPT, ...board.devices.map(({ name }) => name)]
}
