/**
 * Takes the checkpoints of a recorded run.
 *
 * Where: after a `grid` entry. Memory is hashed there, and what the hashes say has changed is what is kept.
 * When: `FIRST_INSTRUCTIONS` have run, for a shorter replay gains little from being split; then each time that the run is
 * longer by `SPACING`, so that a run of any length has few of them, and one not far from wherever it is to be split. A checkpoint
 * is left out while the run has not paid for its pages: `INSTRUCTIONS_PER_BYTE` of each byte that was kept so far, which
 * takes the guest's thread some hundredth of the time of these instructions, and it is looked for again `RETRY` later.
 * All that is kept is bounded by `MAX_BYTES`. A checkpoint that is due while another is being written is left to the next
 * point of the grid: with that alone host time has a say in where they are, and nothing in a recording but speed depends on it.
 */
import { type LocalBus, PAGE_BYTES } from '../bus/mod.ts'
import type { RecordingWriter } from '../replay-store/mod.ts'
import { hostMs } from './host-loop.ts'

const FIRST_INSTRUCTIONS = 5 * 2 ** 29
const SPACING = 5 / 2
const RETRY = 17 / 16
const INSTRUCTIONS_PER_BYTE = 32
/** Of the hashes of 64 pages. */
const BLOCK_WORDS = 128
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
  /** The hashes of pages at the last checkpoint; at power-on before there is one. */
  #hashes = new Uint32Array()
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
    this.#bus.machine.cpu.hashMemory()
    this.#hashes = this.#bus.machine.cpu.pageHashes.slice()
  }

  /** Takes one, if it is due. The log has a `grid` entry. */
  take(): void {
    const { machine, icount, vt, entryCount: entries } = this.#bus
    const { cpu } = machine
    if (icount < this.#dueIcount || !this.#recording.takesCheckpoint) return
    cpu.hashMemory()
    const pages = changedPages(this.#hashes, cpu.pageHashes)
    const bytes = this.#keptBytes + PAGE_BYTES * pages.length
    if (bytes > Math.min(MAX_BYTES, icount / this.#instructionsPerByte)) {
      this.#dueIcount = icount * RETRY
      return
    }
    const position = { entries, icount, vt, hostMs: hostMs() - this.#startMs }
    const copyPages = (into: Uint8Array) => cpu.copyPages(pages, into)
    this.#recording.addCheckpoint({ ...position, state: this.#bus.save(), pages, copyPages })
    this.#hashes = cpu.pageHashes.slice()
    this.#keptBytes = bytes
    this.#dueIcount = icount * this.#spacing
  }
}

/** The numbers of the pages that have other hashes now than `before`. Most blocks of them have not, which is soon said. */
function changedPages(before: Uint32Array, now: Uint32Array): Uint32Array {
  const changed: number[] = []
  const [old, recent] = [bytesOf(before), bytesOf(now)]
  for (let block = 0; block < now.length; block += BLOCK_WORDS) {
    const end = Math.min(block + BLOCK_WORDS, now.length)
    if (recent.compare(old, 4 * block, 4 * end, 4 * block, 4 * end) === 0) continue
    for (let word = block; word < end; word += 2) {
      if (before[word] !== now[word] || before[word + 1] !== now[word + 1]) changed.push(word / 2)
    }
  }
  return Uint32Array.from(changed)
}

function bytesOf(words: Uint32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength)
}
