/**
 * A `cpu` replay in parts that run at the same time, split where the recording has checkpoints.
 *
 * Each part compares every entry of its own. A checkpoint is only where a part starts from: when the part before comes there,
 * its state must be the one that the part after began with, registers, memory and all. So parts that agree, and meet, are one
 * replay from power-on. What a part finds counts when those before it have come to where it began; the first difference in
 * the journal's order is the one that is reported. A part that cannot be run is left out, with a note: the one before goes on.
 */
import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { CPU, type OutputListener, WORLD } from '../bus/mod.ts'
import { type CheckpointFile, FlatEntry, KIND, type Recording } from '../replay-store/mod.ts'
import { usableCheckpoints } from './checkpoint-start.ts'
import type { CpuReplay, ReplaySlice } from './cpu-replay.ts'
import { contextBefore, DivergenceError } from './divergence.ts'
import type { MachineModule } from './machine-spec.ts'
import { FirstPart, type Part, PartFailure, ThreadPart } from './part.ts'
import type { ReplayPosition, Runner, Statistics } from './runner.ts'
import { splitByNumber, splitByTime } from './split.ts'

export interface PartsOptions {
  recording: Recording
  onOutput?: OutputListener
  /** Told what is left out, and why. */
  onNote?: (text: string) => void
}

/** How a replay is split. */
export interface SplitOptions extends Omit<PartsOptions, 'onOutput'> {
  /** Makes the machine again, on each thread. */
  machine: MachineModule
  /** So many parts, where there are checkpoints enough. Default: as many as there are cores, if it pays. */
  parts?: number
}

/** Each part has a guest's memory. */
const MAX_PARTS = 8
const OUTPUT = KIND.output

/** Where the parts after the first begin; none: the replay is not to be split. */
function chooseStarts({ recording, parts, onNote }: SplitOptions): CheckpointFile[] {
  if (parts === 1) return []
  const suited = usableCheckpoints(recording, onNote)
  if (parts !== undefined) return splitByNumber(suited, parts)
  const instructions = recording.entryCount === 0 ? 0 : recording.entry(recording.entryCount - 1).icount
  return splitByTime(suited, instructions, Math.min(availableParallelism(), MAX_PARTS))
}

/**
 * The parts of a replay after the first, each on a thread that gets ready at once: what else a replay needs can be loaded meanwhile.
 * Who makes them disposes of them, when the replay has ended or was not begun.
 */
export class PartThreads implements AsyncDisposable {
  /** None: the replay is not to be split. */
  readonly parts: readonly ThreadPart[]

  constructor(options: SplitOptions) {
    const { machine, recording } = options
    const { directory, entryCount } = recording
    const starts = chooseStarts(options)
    this.parts = starts.map((checkpoint, index) => {
      const end = starts[index + 1]?.entries
      return new ThreadPart({ directory, entryCount, machine, checkpoint, ...(end !== undefined && { end }) })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.parts.map((part) => part.stop()))
  }
}

/** A replay of which `first` is to do what is before the first of `threads`. */
export function runParts(options: PartsOptions, first: CpuReplay, { parts }: PartThreads): Runner {
  const { formatVersion } = options.recording.manifest
  return new PartsRunner(options, [new FirstPart(first, formatVersion, parts[0]?.begin.entries), ...parts])
}

class PartsRunner implements Runner {
  readonly #options: PartsOptions
  readonly #parts: Part[]
  /** The one whose findings count: those before it have agreed, and reached it. */
  #front = 0
  /** It has come to where the next one began. */
  #hasReached = false
  /** Entries whose outputs have been passed on. */
  #heard = 0

  constructor(options: PartsOptions, parts: Part[]) {
    this.#options = options
    this.#parts = parts
  }

  async slice(isOver: () => boolean): Promise<ReplaySlice> {
    const part = this.#parts[this.#front + (this.#hasReached ? 1 : 0)]!
    try {
      if (!(await part.heard())) return { state: 'ran' }
      if (this.#hasReached) this.#handOver(part, await part.begun())
      else {
        const slice = await part.slice(isOver)
        if (slice.state !== 'reached') return slice
        this.#hasReached = true
      }
    } catch (error) {
      if (!(error instanceof PartFailure)) throw error
      await this.#leaveOut(part, error)
    } finally {
      this.#passOutputs()
    }
    return { state: 'ran' }
  }

  position(): ReplayPosition {
    return this.#part.position()
  }

  /** What all parts have done. */
  progress(): ReplayPosition {
    const position = { ...this.position() }
    for (const part of this.#parts.slice(this.#front + 1)) {
      const { entries, icount } = part.position()
      position.entries += entries - part.begin.entries
      position.icount += icount - part.begin.icount
    }
    return position
  }

  async digest(identity: string): Promise<string> {
    return await this.#part.digest(identity)
  }

  /** Of those parts that counted. */
  statistics(): Statistics {
    const sums: Record<string, number> = {}
    for (const part of this.#parts.slice(0, this.#front + 1)) {
      for (const [name, count] of Object.entries(part.statistics())) sums[name] = (sums[name] ?? 0) + count
    }
    return sums
  }

  deviceStates(): Record<string, string> {
    return {}
  }

  get #part(): Part {
    return this.#parts[this.#front]!
  }

  /** The front part has come to where `next` began, whose state there was `begun`. */
  #handOver(next: Part, begun: string): void {
    if (this.#part.reached !== begun) {
      const { entries: entry, vt, icount, pc } = this.position()
      const what = `the state that the replay came to here is not that of its checkpoint ${next.checkpoint}`
      const before = contextBefore(this.#options.recording, entry)
      throw new DivergenceError({ node: CPU, entry, vt, icount, ...(pc !== undefined && { pc }), what, before })
    }
    this.#front++
    this.#hasReached = false
    // This thread has nothing else to do now, and the run's end would wait for it.
    this.#options.recording.identity()
  }

  /** The part before it takes it over: it stands where that began. */
  async #leaveOut(part: Part, failure: PartFailure): Promise<void> {
    const index = this.#parts.indexOf(part)
    assert(index > 0, 'the first part cannot fail')
    this.#options.onNote?.(`the replay goes on without checkpoint ${part.checkpoint}: ${failure.message}`)
    this.#parts.splice(index, 1)
    this.#front = index - 1
    this.#hasReached = false
    this.#part.goOn(this.#parts[index]?.begin.entries)
    await part.stop()
  }

  /** Passes on what the journal has of outputs, as far as it is agreed with. */
  #passOutputs(): void {
    const { onOutput, recording } = this.#options
    if (onOutput === undefined) return
    const entry = new FlatEntry()
    const { entries } = this.position()
    for (; this.#heard < entries; this.#heard++) {
      recording.read(this.#heard, entry)
      if (entry.kind !== OUTPUT) continue
      const { src, dst, vt, payload } = recording.entry(this.#heard)
      if (dst === WORLD && payload.kind === 'output') onOutput(src, payload.bytes, vt, this.#heard)
    }
  }
}
