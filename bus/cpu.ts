/**
 * The two faces of the line between a CPU node and its bus.
 */
import type { AccessSize, Vt } from './message.ts'

/** What `CpuPort.read` gives where nothing answers. */
export const BUS_ERROR = -1

/** How many words `Cpu.portWords` has. */
export const PORT_WORDS = 64

/**
 * An access to device space that takes no message, as a value that a CPU may keep until `Cpu` is told to forget it.
 *
 * - `index`: an index register. A write stores `value & mask` in that word of `Cpu.portWords`, a read gives the word.
 * - `kept`: an answer that still stands. A read gives `value` while vt is less than `until` and that word of
 *   `Cpu.portWords` (-1: none is looked at) is `index`, an int32. A write is a message.
 *
 * Values are as `CpuPort.read` gives and `CpuPort.write` takes them.
 */
export type PortCell = IndexCell | KeptCell

export interface IndexCell {
  kind: 'index'
  word: number
  mask: number
}

export interface KeptCell {
  kind: 'kept'
  value: number
  until: Vt
  word: number
  index: number
}

/** What a CPU node sees of the machine: everything that is not memory. */
export interface CpuPort {
  /**
   * The CPU must stop before the instruction with this icount. It may come nearer while an access is under way; the CPU
   * looks again after each.
   */
  readonly limit: number
  /** Reads device space at a physical address: an unsigned value, or `BUS_ERROR`. `Cpu.icount` is exact meanwhile. */
  read(address: number, size: AccessSize): number
  /** Writes device space; false: bus error. */
  write(address: number, size: AccessSize, value: number): boolean
  /** What an access would be, where it takes no message now. `Cpu.icount` is exact meanwhile. */
  cell(address: number, size: AccessSize): PortCell | undefined
}

/** Why `Cpu.run` came back. `idle`: the CPU waits for an interrupt. */
export type RunResult = 'limit' | 'idle'

/** How a digest takes a page of memory: by XXH64 of its bytes with its number as the seed, or by the bytes. */
export type PageDigest = 'hashed' | 'whole'

/** Pages of backing memory as they were at one moment, whatever has been written to them since. */
export interface PageSnapshot {
  /**
   * Some of those that it has not given yet, in no order; undefined: there are no more. They may be read until the next call. If one
   * is written before that, what is read of it may be wrong, and it comes again: of the same page twice, the later counts.
   */
  next(): PageBatch | undefined
  /** Nobody wants any more of them. */
  close(): void
}

/** Some pages. */
export interface PageBatch {
  /** Their numbers. */
  pages: Uint32Array
  /** Their bytes, end to end. */
  bytes: Uint8Array
}

/**
 * A machine's CPU node, as its bus drives it. `backing` is all memory of the machine end to end (RAM, ROMs, frame
 * buffers); the address map says where in physical space parts of it appear.
 */
export interface Cpu {
  /** Instructions begun before the current one. */
  readonly icount: number
  /** `PORT_WORDS` words for the port, which says in a `PortCell` what they mean. No part of the CPU's state. */
  readonly portWords: Int32Array
  /** No `PortCell` that the port has given holds from now on, nor that it gave none for a write. Safe from within an access; cheap. */
  forgetPortCells(): void
  /** The same for the kept answers only. */
  forgetKeptCells(): void
  /** Physical address space knows its backing memory from this. Page-aligned; `rom`: writes go to the port. */
  mapMemory(base: number, length: number, backingOffset: number, mode: 'ram' | 'rom'): void
  /** Accesses to `[base, base + length)` go to the port from now on. */
  unmapMemory(base: number, length: number): void
  /** A copy. */
  readBacking(offset: number, length: number): Uint8Array
  /** The bytes themselves, for who copies them at once: they must not be written. */
  viewBacking(offset: number, length: number): Uint8Array
  /** Writes from outside the CPU (DMA, images): drops code made from these bytes and marks them dirty. */
  writeBacking(offset: number, bytes: Uint8Array): void
  /** Sets the CPU to its power-on state; memory stays. */
  reset(): void
  /** Runs until `port.limit` is reached or the CPU is idle. */
  run(port: CpuPort): RunResult
  /** Hardware interrupt input `wire` is at `level`. Safe to call from within an access. */
  setLine(wire: number, level: 0 | 1): void
  /** When the CPU's own timer will next interrupt, or `NEVER`; for an idle CPU only. */
  readonly timerDue: Vt
  /** A 32-bit hash of registers, TLB and pending state. */
  hashRegisters(): number
  /** A 64-bit hash of all backing memory, in two 32-bit halves; costs what was written since it was last asked. */
  hashMemory(): { low: number; high: number }
  /** A 64-bit hash of a page's bytes that are none of backing memory, and of a number below 2^32. */
  hashPage(bytes: Uint8Array, number: number): bigint
  /** How many pages of backing memory were written since the last snapshot; since the CPU was made, before the first. */
  readonly writtenPages: number
  /** Those pages as they are now, for as long as the snapshot is not closed: one at a time. */
  snapshot(): PageSnapshot
  /**
   * Feeds registers, TLB and memory, canonically, to a strong hash. Of memory: the pages that are not all zero, each with its
   * number, as `pages` says.
   */
  digest(update: (bytes: Uint8Array) => void, pages: PageDigest): void
  /** Registers and TLB, named; not memory. */
  save(): Record<string, unknown>
  restore(state: Record<string, unknown>): void
  /** The program counter of the next instruction, for reports. */
  readonly pc: number
  /** How guest code was run so far, for reports: counts by name. They depend on tiers and time, never the other way. */
  readonly statistics: Readonly<Record<string, number>>
}
