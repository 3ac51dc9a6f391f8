/** What a channel and a bus master know of a drive, be it a disk or a packet device. */
import type { Sequence, Vt } from '../sdk/mod.ts'
import type { TaskFile } from './task-file.ts'

/** What the bus master is to move: a run of bytes of the drive's storage, or bytes that the drive has made. */
export type DmaJob =
  | { toMemory: boolean; bytes: number; region: number; offset: number }
  | { toMemory: true; bytes: number; made: Uint8Array }

export interface Drive {
  readonly taskFile: TaskFile
  /** What the bus master is to move now, if anything. */
  readonly dmaJob: DmaJob | undefined
  /** Power-on. */
  reset(): void
  /** As after a reset by software or EXECUTE DEVICE DIAGNOSTIC: what was set stays. */
  sign(): void
  /** Begins a command. */
  command(opcode: number, device: number, now: Vt): void
  /** What is due. A command of DMA then waits for the bus master: see `dmaJob`. */
  event(now: Vt): Sequence<void>
  /** `size` bytes of the data port. */
  readData(size: number, now: Vt): number
  writeData(size: number, value: number, now: Vt): void
  /** The job was done, all of it. */
  dmaDone(): void
}
