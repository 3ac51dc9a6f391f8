/**
 * Takes the checkpoints of a recorded run.
 *
 * How: a checkpoint stands where it is begun, at a `grid` entry. Its pages are read from a snapshot and compressed while the guest runs on,
 * some of them between any two slices, so it never holds the guest up for long; what it takes of memory are the pages that the
 * guest writes before they are read.
 * When: `FIRST_INSTRUCTIONS` have run, for a shorter replay gains little from being split; then each time that the run is
 * longer by `SPACING`, so that a run of any length has few of them, and one not far from wherever it is to be split. A checkpoint
 * is left out while the run has not paid for its pages: `INSTRUCTIONS_PER_BYTE` of each byte that was kept so far, which
 * takes the guest's thread some hundredth of the time of these instructions, and it is looked for again `RETRY` later.
 * All that is kept is bounded by `MAX_BYTES`. Host time has a say in where checkpoints are, and nothing in a recording but
 * speed depends on it.
 */
import { type LocalBus, PAGE_BYTES, type PageSnapshot } from '../bus/mod.ts'
import { CheckpointEncoder, type RecordingWriter } from '../replay-store/mod.ts'
import { hostMs } from './host-loop.ts'

const FIRST_INSTRUCTIONS = 21 * 2 ** 27
const SPACING = 5 / 2
const RETRY = 17 / 16
const INSTRUCTIONS_PER_BYTE = 32
/** Before they are compressed. */
const MAX_BYTES = 2 ** 29

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
  /** Of the checkpoint that is begun. */
  #gathering: Promise<void> | undefined
  #keptBytes = 0
  #isClosed = false

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
    this.#bus.machine.contents.snapshot().close()
  }

  /** Begins one if it is due. The log has a `grid` entry. */
  onGrid(): void {
    if (this.#gathering === undefined && this.#bus.icount >= this.#dueIcount && this.#recording.takesCheckpoint) {
      this.#begin()
    }
  }

  /** Kept when none is being written, nor gathers its pages. */
  async settled(): Promise<void> {
    await this.#gathering
    await this.#recording.checkpointsWritten()
  }

  /** The run has ended: one that is not complete is given up. */
  close(): void {
    this.#isClosed = true
  }

  #begin(): void {
    const { machine, icount, vt, entryCount: entries } = this.#bus
    const { contents } = machine
    const bytes = this.#keptBytes + PAGE_BYTES * contents.writtenPages
    if (bytes > Math.min(MAX_BYTES, icount / this.#instructionsPerByte)) {
      this.#dueIcount = icount * RETRY
      return
    }
    this.#keptBytes = bytes
    this.#dueIcount = icount * this.#spacing
    const position = { entries, icount, vt, hostMs: hostMs() - this.#startMs }
    const encoder = new CheckpointEncoder(position, this.#bus.save())
    this.#gathering = this.#gather(encoder, contents.snapshot()).finally(() => {
      this.#gathering = undefined
    })
  }

  async #gather(encoder: CheckpointEncoder, snapshot: PageSnapshot): Promise<void> {
    for (let batch = snapshot.next(); batch !== undefined && !this.#isClosed; batch = snapshot.next()) {
      await encoder.add(batch)
    }
    snapshot.close()
    // None is taken where the journal could not be written: the run is about to end.
    if (!this.#isClosed && this.#recording.takesCheckpoint) this.#recording.addCheckpoint(encoder)
    else encoder.destroy()
  }
}
