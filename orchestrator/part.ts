/**
 * The parts of a `cpu` replay that is split at checkpoints: the first one here, the others on threads of their own.
 */
import { setTimeout } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import type { CpuReplay, ReplaySlice } from './cpu-replay.ts'
import { runDigest } from './digest.ts'
import { DivergenceError } from './divergence.ts'
import { Alarm, REPLAY_SLICE_MS } from './host-loop.ts'
import { partWorker } from './part-worker.ts'
import type { PartCommand, PartData, PartReport } from './replay-thread.ts'
import { positionOf, type ReplayPosition, type Statistics } from './runner.ts'

/** A part cannot be run, or not to its end: its thread died, or its checkpoint is damaged. That says nothing of the journal. */
export class PartFailure extends Error {
  override readonly name = 'PartFailure'
}

export interface Part {
  /** Where it began. */
  readonly begin: ReplayPosition
  /** The path of the checkpoint that it began at. */
  readonly checkpoint: string
  /** Waits until it has something to tell, for a slice's time at most: whether it has. */
  heard(): Promise<boolean>
  /** A digest of the state with which it began. Throws a `PartFailure`. */
  begun(): Promise<string>
  /** Runs for a while. Throws a `DivergenceError` and, like `digest`, a `PartFailure`. */
  slice(isOver: () => boolean): Promise<ReplaySlice>
  /** A digest of the state that it reached. */
  readonly reached: string
  /** From where it ended on: to the journal's first `end` entries, or to its end. */
  goOn(end: number | undefined): void
  position(): ReplayPosition
  statistics(): Statistics
  digest(identity: string): Promise<string>
  stop(): Promise<void>
}

/** The part that begins with power-on. */
export class FirstPart implements Part {
  readonly begin = { entries: 0, icount: 0, vt: 0 }
  readonly checkpoint = ''
  readonly #replay: CpuReplay
  readonly #formatVersion: number

  constructor(replay: CpuReplay, formatVersion: number, end: number | undefined) {
    this.#replay = replay
    this.#formatVersion = formatVersion
    replay.goTo(end)
  }

  async heard(): Promise<boolean> {
    return true
  }

  begun(): Promise<string> {
    throw new Error('nothing is before the first part')
  }

  async slice(isOver: () => boolean): Promise<ReplaySlice> {
    return this.#replay.runSlice(isOver)
  }

  get reached(): string {
    return this.#replay.stateDigest()
  }

  goOn(end: number | undefined): void {
    this.#replay.goTo(end)
  }

  position(): ReplayPosition {
    return positionOf(this.#replay, this.#replay.machine.cpu)
  }

  statistics(): Statistics {
    return this.#replay.machine.cpu.statistics
  }

  async digest(identity: string): Promise<string> {
    return runDigest(identity, this.#replay.machine.contents, this.#formatVersion)
  }

  async stop(): Promise<void> {}
}

/** How long a thread may take to end. */
const ENDING_MS = 2000

export class ThreadPart implements Part {
  readonly begin: ReplayPosition
  readonly checkpoint: string
  readonly #worker: Worker
  readonly #ended: Promise<unknown>
  /** Not yet looked at, oldest first: two at most, for slices that only `ran` are not kept. */
  readonly #reports: PartReport[] = []
  readonly #alarm = new Alarm()
  /** What it told last of how far it is. */
  #position: ReplayPosition
  #statistics: Statistics = {}
  #reached = ''
  #hasToldLast = false

  constructor(data: PartData) {
    const { entries, icount, vt, path } = data.checkpoint
    this.begin = { entries, icount, vt }
    this.checkpoint = path
    this.#position = this.begin
    this.#worker = partWorker(data.machine.url)
    this.#ended = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.on('message', (report: PartReport) => this.#hear(report))
    this.#worker.on('error', (error) => this.#hear({ kind: 'failed', what: `its thread failed: ${String(error)}` }))
    this.#worker.on('exit', () => this.#hear({ kind: 'failed', what: 'its thread ended' }))
    this.#worker.postMessage(data)
  }

  async heard(): Promise<boolean> {
    if (this.#reports.length === 0) {
      await this.#alarm.sleep(REPLAY_SLICE_MS)
    }
    return this.#reports.length > 0
  }

  async begun(): Promise<string> {
    const report = await this.#next()
    if (report.kind !== 'began') throw new PartFailure(`the part told ${report.kind} before it began`)
    return report.state
  }

  async slice(): Promise<ReplaySlice> {
    const report = await this.#next()
    if (report.kind === 'diverged') throw new DivergenceError(report.divergence)
    if (report.kind !== 'slice') throw new PartFailure(`the part told ${report.kind} amid its slices`)
    this.#reached = report.state ?? ''
    return report.slice
  }

  get reached(): string {
    return this.#reached
  }

  goOn(end: number | undefined): void {
    this.#tell({ kind: 'goOn', ...(end !== undefined && { end }) })
  }

  position(): ReplayPosition {
    return this.#position
  }

  statistics(): Statistics {
    return this.#statistics
  }

  async digest(identity: string): Promise<string> {
    this.#tell({ kind: 'digest', identity })
    const report = await this.#next()
    if (report.kind !== 'digest') throw new PartFailure(`the part told ${report.kind} in place of a digest`)
    return report.digest
  }

  async stop(): Promise<void> {
    // A thread that has told its last ends by itself, once its machine's module has kept what is worth it.
    if (this.#hasToldLast) await Promise.race([this.#ended, setTimeout(ENDING_MS, undefined, { ref: false })])
    await this.#worker.terminate()
  }

  #tell(command: PartCommand): void {
    this.#worker.postMessage(command)
  }

  #hear(report: PartReport): void {
    if ('position' in report) {
      this.#position = report.position
      this.#statistics = report.statistics ?? this.#statistics
    }
    const last = this.#reports.at(-1)
    // Whatever comes after an end is only that the thread has ended, too.
    if (last !== undefined && isLast(last)) return
    this.#hasToldLast = isLast(report)
    if (last?.kind === 'slice' && last.slice.state === 'ran') this.#reports.pop()
    this.#reports.push(report)
    this.#alarm.ring()
  }

  async #next(): Promise<PartReport> {
    while (!(await this.heard()));
    const report = this.#reports.shift()!
    if (report.kind !== 'failed') return report
    this.#reports.push(report)
    throw new PartFailure(report.what)
  }
}

function isLast({ kind }: PartReport): boolean {
  return kind === 'failed' || kind === 'diverged' || kind === 'digest'
}
