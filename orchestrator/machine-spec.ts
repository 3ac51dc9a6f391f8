/**
 * What a session needs to build a machine.
 */
import {
  type Board,
  BUS,
  CPU,
  type CreateCpu,
  type Load,
  type NodeName,
  type Overlay,
  SCRIPT,
  WORLD,
} from '../bus/mod.ts'
import type { Recording } from '../replay-store/mod.ts'

export interface MachineSpec {
  board: Board
  /** What stands in memory at power-on, and again after a reset; and on disks at power-on. */
  loads: readonly Load[]
  createCpu: CreateCpu
  /** What its host has for what is written to disks; absent: memory without a bound. It changes nothing. */
  overlay?: Overlay
}

/** The same for a replay, which may ask for what stands in memory when there is a CPU that has begun to get ready. */
export interface RecordedMachine extends Omit<MachineSpec, 'loads'> {
  loads: readonly Load[] | (() => Promise<readonly Load[]>)
}

/** Makes a recording's machine; `data` is what a `MachineModule` says. */
export type MakeMachine = (recording: Recording, data: unknown) => Promise<RecordedMachine>

/** What a thread makes a machine from: a module that exports a `makeMachine`, a `MakeMachine`. */
export interface MachineModule {
  url: string
  /** Such as threads can be sent. */
  data?: unknown
}

export async function loadsOf({ loads }: RecordedMachine): Promise<MachineSpec['loads']> {
  return typeof loads === 'function' ? await loads() : loads
}

/** The node names of a board's journal, in the fixed order of a manifest's table. */
export function nodeNames(board: Board): NodeName[] {
  return [CPU, BUS, WORLD, SCRIPT, ...board.devices.map(({ name }) => name)]
}
