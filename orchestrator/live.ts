/**
 * A live run: every node, with the world speaking, recorded or not.
 */
import assert from 'node:assert/strict'
import {
  GuestSleepsForEver,
  LocalBus,
  type LogSink,
  type MachineContents,
  type Message,
  type NodeName,
  type OutputListener,
  type Position,
  type SliceResult,
  type StopReason,
  type UnhandledListener,
  type Vt,
  type WorldSource,
} from '../bus/mod.ts'
import { JournalHasher, type RecordingWriter, StoreError } from '../replay-store/mod.ts'
import { Checkpointer, type CheckpointPolicy } from './checkpointer.ts'
import type { EntryListener } from './cpu-replay.ts'
import { deviceDigests, runDigest } from './digest.ts'
import { Alarm, type HostOptions, hostMs, LIVE_SLICE_MS, serveHost, sliceOf } from './host-loop.ts'
import { type MachineSpec, nodeNames } from './machine-spec.ts'
import { type RunSummary, summarize } from './summary.ts'

export interface LiveOptions extends HostOptions {
  machine: MachineSpec
  /** In the order in which they are asked. */
  sources: readonly WorldSource[]
  /** Deterministic listeners, such as a script: called when the output happens. */
  listeners?: readonly OutputListener[]
  /** The host's listener, such as a terminal: called some time after the slice, when the journal's entry is flushed. */
  onOutput?: OutputListener
  /** Hears each `input` and `output` with the number of its entry, in their order, when `onOutput` does. */
  onTraffic?: EntryListener
  onUnhandled?: UnhandledListener
  /** Told what memory and drives hold when the run has ended in order. */
  onEnd?: (contents: MachineContents) => void
  /** Where the journal goes, and checkpoints; the session closes it. */
  recording?: RecordingWriter
  /** When checkpoints are taken. */
  checkpoints?: CheckpointPolicy
  /** Whether an idle guest sleeps in host time. For people; default: it does not. */
  paced?: boolean
  /** How many instructions pass at most between two times that the host is served. Default: those of `LIVE_SLICE_MS`. */
  sliceInstructions?: number
  /** Rung by sources that have an input: an idle guest that sleeps gets it at once. */
  alarm?: Alarm
  /** End the run (`limit`) before this instruction, or at this virtual time. */
  limits?: { instructions?: number; vt?: Vt }
}

/**
 * How a run ended, in order: the journal has its `stop` entry. `failure` comes with `failed`: the guest sleeps for ever;
 * a source that stopped the run with `failed` says why itself.
 */
export interface RunResult {
  state: 'ended'
  reason: StopReason
  failure?: GuestSleepsForEver
  summary: RunSummary & { digest: string }
  /** SHA-256 of each device's final state. */
  deviceStates: Record<NodeName, string>
}

/** Idle surplus that pacing makes up for, in nanoseconds: oversleeping is paid back up to here. */
const MAX_SURPLUS_NS = 50_000_000
/** Outputs that are kept back until the journal and the recording's images are on disk; with more of them the run waits. */
const MAX_EARLY_OUTPUTS = 65_536
/** How long a paced idle guest sleeps before its sources are asked again, in milliseconds, if no alarm rings. */
const POLL_MS = 5

/**
 * Runs a machine from power-on to its end. An abort ends it with `quit`. Throws what the store throws (`WriteError`: the
 * recording then stays as far as it was flushed); any other exception is a fault in a model or in Ananke, and leaves the
 * recording as a killed recorder would.
 */
export async function runLive(options: LiveOptions): Promise<RunResult> {
  const { recording } = options
  try {
    return await new LiveRun(options).run()
  } catch (error) {
    // An image that could not be written comes before all else: then there is no recording.
    await recording?.ready
    await recording?.checkpointsWritten()
    if (recording !== undefined && !(error instanceof StoreError)) await recording.abandon()
    throw error
  }
}

class LiveRun {
  readonly #options: LiveOptions
  readonly #bus: LocalBus
  readonly #hasher: JournalHasher | undefined
  readonly #checkpointer: Checkpointer | undefined
  readonly #until: Position[] = []
  /** What the host is to hear of the slice under way. */
  #outputs: (() => void)[] = []
  /** Outputs of slices before, whose entries are being flushed. Bounded by a slice and `MAX_EARLY_OUTPUTS`. */
  #earlyOutputs = 0
  /** Kept when they have left, and never fails; what keeps them from it is in `#releaseFailure`. */
  #released: Promise<void> = Promise.resolve()
  #releaseFailure: { error: unknown } | undefined
  readonly #startMs = hostMs()
  readonly #alarm: Alarm
  #failure: GuestSleepsForEver | undefined

  constructor(options: LiveOptions) {
    this.#options = options
    this.#alarm = options.alarm ?? new Alarm()
    const { machine, recording, sources, listeners, onUnhandled, limits } = options
    this.#hasher = recording === undefined ? new JournalHasher(nodeNames(machine.board)) : undefined
    const log = recording ?? this.#hasher
    assert(log !== undefined)
    const sink = options.onTraffic === undefined ? log : this.#withTraffic(log, options.onTraffic)
    const onGrid = () => this.#checkpointer?.onGrid()
    this.#bus = new LocalBus({ ...machine, sink, sources, onGrid, ...(onUnhandled && { onUnhandled }) })
    if (recording !== undefined) {
      this.#checkpointer = new Checkpointer(this.#bus, recording, this.#startMs, options.checkpoints)
    }
    for (const listener of listeners ?? []) this.#bus.onOutput(listener)
    const { onOutput } = options
    if (onOutput !== undefined) this.#bus.onOutput((...output) => this.#outputs.push(() => onOutput(...output)))
    if (limits?.instructions !== undefined) this.#until.push({ icount: limits.instructions, vt: 0 })
    if (limits?.vt !== undefined) this.#until.push({ icount: 0, vt: limits.vt })
  }

  #withTraffic(log: LogSink, onTraffic: EntryListener): LogSink {
    let next = 0
    return {
      append: (message: Message) => {
        log.append(message)
        const entry = next++
        const { kind } = message.payload
        if (kind === 'input' || kind === 'output') this.#outputs.push(() => onTraffic(entry, message))
      },
    }
  }

  async run(): Promise<RunResult> {
    const { recording } = this.#options
    let reason: StopReason
    try {
      reason = await this.#runGuest()
    } finally {
      this.#checkpointer?.close()
    }
    await recording?.ready
    await recording?.checkpointsWritten()
    return this.#close(reason)
  }

  /** To the `stop` entry. */
  async #runGuest(): Promise<StopReason> {
    const bus = this.#bus
    const { signal, onProgress } = this.#options
    if (this.#checkpointer !== undefined) {
      // Power-on alone, which has the log's first entry.
      bus.runSlice({ until: [{ icount: 0, vt: 0, entries: 1 }] })
      this.#checkpointer.powerOn()
    }
    const pace = new Pace()
    signal?.addEventListener('abort', () => this.#alarm.ring(), { once: true })
    while (bus.stopped === undefined) {
      const result = signal?.aborted ? this.#stop('quit') : this.#slice(pace)
      await this.#release()
      onProgress?.({ instructions: bus.icount, vt: bus.vt, entries: bus.entryCount })
      if (result.state === 'until') this.#stop('limit')
      else if (result.state === 'sleep' && !this.#hasInput()) {
        await this.#alarm.sleep(pace.sleepMs(bus.vt, result.until))
      } else await serveHost()
    }
    return bus.stopped
  }

  #slice(pace: Pace): SliceResult {
    const { paced, sliceInstructions } = this.#options
    const limits = {
      ...(paced && { hostVt: this.#hostVt(pace) }),
      ...(sliceInstructions !== undefined && { maxInstructions: sliceInstructions }),
    }
    try {
      return this.#bus.runSlice({ isOver: sliceOf(LIVE_SLICE_MS), until: this.#until, ...limits })
    } catch (error) {
      if (!(error instanceof GuestSleepsForEver)) throw error
      this.#failure = error
      return this.#stop('failed')
    }
  }

  /** An input that waits is not slept for: an idle guest is at once at the grid point where it enters. */
  #hostVt(pace: Pace): Vt {
    const { vt, machine } = this.#bus
    const hostVt = pace.hostVt(vt)
    return this.#hasInput() ? Math.max(hostVt, machine.clock.gridAfter(vt)) : hostVt
  }

  #hasInput(): boolean {
    const { icount, vt } = this.#bus
    return this.#options.sources.some((source) => {
      const moment = source.waiting(vt)
      return moment !== undefined && moment.icount <= icount && moment.vt <= vt
    })
  }

  #stop(reason: StopReason): SliceResult {
    this.#bus.stop(reason)
    return { state: 'stopped', reason }
  }

  /**
   * Outputs leave when their entries are durable and the recording is one. The guest goes on meanwhile, without being heard, unless
   * it is far ahead of the journal, or has ended.
   */
  async #release(): Promise<void> {
    const { recording } = this.#options
    const outputs = this.#outputs
    if (outputs.length > 0) {
      this.#outputs = []
      this.#earlyOutputs += outputs.length
      this.#released = this.#leave(outputs, this.#released)
    }
    if (recording?.isBehind) await recording.flush()
    const mayRunOn =
      recording !== undefined && this.#bus.stopped === undefined && this.#earlyOutputs < MAX_EARLY_OUTPUTS
    if (!mayRunOn) await this.#released
    if (this.#releaseFailure !== undefined) throw this.#releaseFailure.error
  }

  /** Lets outputs go when their entries are durable and those before have left. Never fails: see `#releaseFailure`. */
  async #leave(outputs: readonly (() => void)[], before: Promise<void>): Promise<void> {
    const { recording } = this.#options
    try {
      await recording?.flush()
      await recording?.ready
      await before
      if (this.#releaseFailure === undefined) for (const hear of outputs) hear()
    } catch (error) {
      this.#releaseFailure ??= { error }
    }
    this.#earlyOutputs -= outputs.length
  }

  async #close(reason: StopReason): Promise<RunResult> {
    const bus = this.#bus
    const { recording } = this.#options
    const identity = (await recording?.identity()) ?? this.#hasher?.digest()
    assert(identity !== undefined)
    const digest = runDigest(identity, bus.machine.contents)
    const deviceStates = deviceDigests(bus.hosts)
    const { icount: instructions, vt } = bus
    await recording?.close({ reason, instructions, vt, digest, deviceStates })
    this.#options.onEnd?.(bus.machine.contents)
    const journalBytes = recording?.journalBytes ?? 0
    const { statistics } = bus.machine.cpu
    const summary = summarize({ instructions, vt, hostMs: hostMs() - this.#startMs, journalBytes, statistics })
    return {
      state: 'ended',
      reason,
      ...(this.#failure && { failure: this.#failure }),
      summary: { ...summary, digest },
      deviceStates,
    }
  }
}

/** Holds an idle guest back to host time. A busy guest is never held back. */
class Pace {
  /** The idle time being slept through: guest time and host time when it began. */
  #idle: { vt: Vt; ms: number } | undefined
  #surplusNs = 0

  /** To what guest time a guest at `vt` may jump. */
  hostVt(vt: Vt): Vt {
    this.#settle(vt)
    return this.#idle === undefined ? vt : this.#slept(this.#idle)
  }

  /** How long to sleep, in milliseconds, when the guest at `vt` is idle until `until`. */
  sleepMs(vt: Vt, until: Vt): number {
    this.#settle(vt)
    this.#idle ??= { vt, ms: hostMs() }
    return Math.min(POLL_MS, Math.max(0, (until - this.#slept(this.#idle)) / 1e6))
  }

  /** If the guest woke, what was slept too long is taken off its next sleep. */
  #settle(vt: Vt): void {
    if (this.#idle === undefined || this.#idle.vt === vt) return
    this.#surplusNs = Math.min(MAX_SURPLUS_NS, Math.max(0, this.#slept(this.#idle) - vt))
    this.#idle = undefined
  }

  #slept(idle: { vt: Vt; ms: number }): Vt {
    return Math.floor(idle.vt + this.#surplusNs + (hostMs() - idle.ms) * 1e6)
  }
}
