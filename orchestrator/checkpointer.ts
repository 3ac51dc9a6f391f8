/**
 * Takes the checkpoints of a recorded run.
 *
 * How: pages are copied and compressed while the guest runs on, some of them between any two slices; when all are, the
 * checkpoint stands at the next `grid` entry, with the pages that were written meanwhile once more. So it never holds the
 * guest up for long, nor takes memory by its size.
 * When: `FIRST_INSTRUCTIONS` have run, for a shorter replay gains little from being split; then each time that the run is
 * longer by `SPACING`, so that a run of any length has few of them, and one not far from wherever it is to be split. A checkpoint
 * is left out while the run has not paid for its pages: `INSTRUCTIONS_PER_BYTE` of each byte that was kept so far, which
 * takes the guest's thread some hundredth of the time of these instructions, and it is looked for again `RETRY` later.
 * All that is kept is bounded by `MAX_BYTES`. Host time has a say in where checkpoints are, and nothing in a recording but
 * speed depends on it.
 */
import { type Cpu, type LocalBus, PAGE_BYTES } from '../bus/mod.ts'
import { CheckpointEncoder, type RecordingWriter } from '../replay-store/mod.ts'
import { hostMs } from './host-loop.ts'

const FIRST_INSTRUCTIONS = 19 * 2 ** 27
const SPACING = 5 / 2
const RETRY = 17 / 16
const INSTRUCTIONS_PER_BYTE = 32
/** Before they are compressed. */
const MAX_BYTES = 2 ** 29
/** Copied between two slices: a millisecond's work, and ten of the thread that compresses them. */
const STEP_PAGES = 1024

/** For tests: other numbers than a boot needs. */
export interface CheckpointPolicy {
  firstInstructions?: number
  spacing?: number
  instructionsPerByte?: number
}

export class Checkpointer {
  readonly #bus: LocalBus
  readonly #recording: RecordingWriter
  readonly #startMs: number
  readonly #spacing: number
  readonly #instructionsPerByte: number
  /** Before it no checkpoint is due. */
  #dueIcount: number
  /** Written since the last checkpoint, as far as it was asked. */
  readonly #written = new Set<number>()
  /** The checkpoint that is being made. */
  #gathering: Gathering | undefined
  #keptBytes = 0

  /** @param startMs when the run began, as `hostMs` tells it */
  constructor(bus: LocalBus, recording: RecordingWriter, startMs: number, policy: CheckpointPolicy = {}) {
    const { firstInstructions = FIRST_INSTRUCTIONS, spacing = SPACING } = policy
    const { instructionsPerByte = INSTRUCTIONS_PER_BYTE } = policy
    this.#bus = bus
    this.#recording = recording
    this.#startMs = startMs
    this.#spacing = spacing
    this.#instructionsPerByte = instructionsPerByte
    this.#dueIcount = firstInstructions
  }

  /** Memory is as it is at power-on: what stays like that is in no checkpoint. */
  powerOn(): void {
    this.#bus.machine.cpu.takeWrittenPages()
  }

  /** Begins one if it is due, ends one that has its pages. The log has a `grid` entry. */
  onGrid(): void {
    if (this.#gathering === undefined) this.#beginIfDue()
    else if (this.#gathering.isDone) this.#end(this.#gathering)
  }

  /** Kept when none is being written, nor gathers its pages. */
  async settled(): Promise<void> {
    await this.#gathering?.done
    await this.#recording.checkpointsWritten()
  }

  /** The run has ended: one that is not complete is given up. */
  close(): void {
    this.#gathering?.stop()
    this.#gathering = undefined
  }

  #beginIfDue(): void {
    const { machine, icount } = this.#bus
    if (icount < this.#dueIcount || !this.#recording.takesCheckpoint) return
    for (const page of machine.cpu.takeWrittenPages()) this.#written.add(page)
    const bytes = this.#keptBytes + PAGE_BYTES * this.#written.size
    if (bytes > Math.min(MAX_BYTES, icount / this.#instructionsPerByte)) {
      this.#dueIcount = icount * RETRY
      return
    }
    this.#gathering = new Gathering(machine.cpu, Uint32Array.from(this.#written).sort())
    this.#written.clear()
  }

  #end({ encoder, pageCount }: Gathering): void {
    const { machine, icount, vt, entryCount: entries } = this.#bus
    const pages = machine.cpu.takeWrittenPages()
    const bytes = new Uint8Array(PAGE_BYTES * pages.length)
    machine.cpu.copyPages(pages, bytes)
    void encoder.add(pages, bytes)
    const position = { entries, icount, vt, hostMs: hostMs() - this.#startMs }
    this.#recording.addCheckpoint(position, this.#bus.save(), encoder)
    this.#gathering = undefined
    this.#keptBytes += PAGE_BYTES * (pageCount + pages.length)
    this.#dueIcount = icount * this.#spacing
  }
}

/** Adds pages to a checkpoint, some between any two slices of the guest. */
class Gathering {
  readonly encoder = new CheckpointEncoder()
  readonly pageCount: number
  readonly done: Promise<void>
  isDone = false
  #isStopped = false

  constructor(cpu: Cpu, pages: Uint32Array) {
    this.pageCount = pages.length
    this.done = this.#gather(cpu, pages)
  }

  /** Nobody wants it any more. */
  stop(): void {
    this.#isStopped = true
    this.encoder.destroy()
  }

  async #gather(cpu: Cpu, pages: Uint32Array): Promise<void> {
    const room = new Uint8Array(PAGE_BYTES * Math.min(pages.length, STEP_PAGES))
    for (let at = 0; at < pages.length && !this.#isStopped; at += STEP_PAGES) {
      const some = pages.subarray(at, at + STEP_PAGES)
      const bytes = room.subarray(0, PAGE_BYTES * some.length)
      cpu.copyPages(some, bytes)
      await this.encoder.add(some, bytes)
    }
    this.isDone = true
  }
}
