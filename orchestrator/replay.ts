/**
 * Replays of a recording: `cpu`, `full`, or one device alone. Each message and hash that is produced is compared with
 * the journal; the first difference ends the replay with a report.
 */
import {
  BUS,
  type MachineContents,
  type NodeName,
  type OutputListener,
  type StopReason,
  type UnhandledListener,
  WORLD,
} from '../bus/mod.ts'
import { type Recording, StoreError } from '../replay-store/mod.ts'
import { replayFrom, usableCheckpoints } from './checkpoint-start.ts'
import { CpuReplay, type EntryListener } from './cpu-replay.ts'
import { DeviceReplay, needsMemory } from './device-replay.ts'
import { deviceDigests, runDigest, stateDigest } from './digest.ts'
import { contextBefore, type Divergence, DivergenceError } from './divergence.ts'
import { FullReplay } from './full-replay.ts'
import { type HostOptions, hostMs, REPLAY_SLICE_MS, serveHost, sliceOf } from './host-loop.ts'
import { loadsOf, nodeNames, type RecordedMachine } from './machine-spec.ts'
import { type PartThreads, runParts } from './parallel-replay.ts'
import { positionOf, type ReplayPosition, type Runner } from './runner.ts'
import { type RunSummary, summarize } from './summary.ts'

export type ReplayMode = 'cpu' | 'full' | { device: NodeName }

export interface ReplayOptions extends HostOptions {
  recording: Recording
  /** The machine that was recorded. */
  machine: RecordedMachine
  mode: ReplayMode
  /** Stop before this instruction, and before what is due there. */
  until?: number
  /**
   * Start at the last checkpoint before where it ends, whose state is taken on trust; what follows is compared. A replay from power-on,
   * or in parts, takes nothing on trust. For a `cpu` replay without threads. Default: false.
   */
  fromCheckpoint?: boolean
  /** Gets the recorded outputs as the replay comes to them. */
  onOutput?: OutputListener
  onUnhandled?: UnhandledListener
  /** Threads of this recording's parts, for a `cpu` replay of the whole journal; others do without. */
  threads?: PartThreads
  /** Gets what the machine holds where the replay ends, agreed with so far. For a `cpu` replay without threads. */
  onEnd?: (contents: MachineContents) => void
  /** Told what is left out for no other harm than that of speed. */
  onNote?: (text: string) => void
}

/**
 * How a replay ended. `agreed`: the whole journal, and the final state, where the recording has its digest. `cut`: the
 * journal has no end, and the replay agreed with its `entries` whole entries. `until`, `aborted`: as asked.
 */
export type ReplayResult =
  | { state: 'agreed'; reason: StopReason; summary: RunSummary; deviceStates: Record<NodeName, string> }
  | { state: 'cut'; entries: number; summary: RunSummary }
  | { state: 'until' | 'aborted'; position: ReplayPosition; summary: RunSummary }
  | { state: 'diverged'; divergence: Divergence; summary: RunSummary }

/** The recording is of a machine with other nodes or another clock than the one given. */
export class MachineMismatch extends Error {
  override readonly name = 'MachineMismatch'
}

/** Throws `MachineMismatch`, `NoSuchDevice`, and what the store throws for a damaged recording. */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { recording, machine, mode, onProgress, signal } = options
  checkMachine(recording, machine)
  const startMs = hostMs()
  const runner = await makeRunner(options)
  const summary = (digest?: string) => {
    const { icount: instructions, vt, pc } = runner.position()
    const ranCpu = pc !== undefined
    const { journalBytes } = recording
    const statistics = runner.statistics?.()
    return summarize({
      instructions,
      vt,
      hostMs: hostMs() - startMs,
      journalBytes,
      ranCpu,
      ...(digest !== undefined && { digest }),
      ...(statistics !== undefined && { statistics }),
    })
  }
  try {
    for (;;) {
      const result = await runner.slice(sliceOf(REPLAY_SLICE_MS))
      const position = runner.position()
      const { icount, vt, entries } = runner.progress?.() ?? position
      onProgress?.({ instructions: icount, vt, entries })
      if (result.state !== 'ran') tellContents(runner, options)
      if (result.state === 'cut') {
        checkCut(recording, position)
        return { state: 'cut', entries: recording.entryCount, summary: summary() }
      }
      if (result.state === 'until') return { state: 'until', position, summary: summary() }
      if (result.state === 'stopped') {
        const digest = await runner.digest?.(recording.identity())
        const deviceStates = runner.deviceStates()
        checkEnd(recording, mode, position, digest, deviceStates)
        return { state: 'agreed', reason: result.reason, summary: summary(digest), deviceStates }
      }
      if (signal?.aborted) return { state: 'aborted', position, summary: summary() }
      await serveHost()
    }
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error
    return { state: 'diverged', divergence: error.divergence, summary: summary() }
  }
}

function tellContents(runner: Runner, { onEnd }: ReplayOptions): void {
  const contents = runner.contents?.()
  if (contents !== undefined) onEnd?.(contents)
}

function checkMachine(recording: Recording, { board }: RecordedMachine): void {
  const { nodes, nsPerInstruction, gridNs, hashNs } = recording.manifest
  const names = nodeNames(board)
  if (nodes.join() !== names.join()) {
    throw new MachineMismatch(
      `${recording.directory} has the nodes ${nodes.join(', ')}, and this ${board.name} has ${names.join(', ')}. ` +
        'Replay it with the Ananke that made it.',
    )
  }
  if (nsPerInstruction !== board.nsPerInstruction || gridNs !== board.gridNs || hashNs !== board.hashNs) {
    throw new MachineMismatch(
      `${recording.directory} was made with ${nsPerInstruction} ns an instruction, a grid of ${gridNs} ns ` +
        `and hashes every ${hashNs} ns; this ${board.name} has ${board.nsPerInstruction}, ${board.gridNs} and ` +
        `${board.hashNs}. Replay it with the Ananke that made it.`,
    )
  }
}

/** A journal that was closed has its `stop` entry. Throws a `DivergenceError`. */
function checkCut(recording: Recording, { icount, vt, pc }: ReplayPosition): void {
  if (recording.manifest.end === undefined) return
  const entry = recording.entryCount
  const what = `the journal has no stop entry, and the recording ended with ${recording.manifest.end.reason}`
  const before = contextBefore(recording, entry)
  throw new DivergenceError({ node: BUS, entry, vt, icount, ...(pc !== undefined && { pc }), what, before })
}

/** Compares the final state with what the recorder found. Throws a `DivergenceError`. */
function checkEnd(
  recording: Recording,
  mode: ReplayMode,
  { icount, vt, pc }: ReplayPosition,
  digest: string | undefined,
  deviceStates: Record<NodeName, string>,
): void {
  const { end } = recording.manifest
  if (end === undefined) return
  const entry = recording.entryCount
  const before = contextBefore(recording, entry)
  const differs = (node: NodeName, what: string) =>
    new DivergenceError({ node, entry, vt, icount, ...(pc !== undefined && { pc }), what, before })
  for (const [device, state] of Object.entries(deviceStates)) {
    const recorded = end.deviceStates[device]
    if (recorded !== state) throw differs(device, `its final state is ${state}, and was ${recorded} when recorded`)
  }
  if (mode === 'cpu' || mode === 'full') {
    if (digest !== end.digest)
      throw differs('cpu', `the final digest is ${digest}, and was ${end.digest} when recorded`)
  }
}

async function makeRunner(options: ReplayOptions): Promise<Runner> {
  const { mode } = options
  if (mode === 'cpu') return await wholeCpuRunner(options)
  if (mode === 'full') return await fullRunner(options)
  return needsMemory(options.recording, mode.device)
    ? await deviceAndCpuRunner(options, mode.device)
    : deviceRunner(options, mode.device)
}

/** Passes recorded outputs on to a listener, where there is one. */
function outputsOf({ onOutput }: ReplayOptions): EntryListener | undefined {
  if (onOutput === undefined) return undefined
  return (index, { src, dst, vt, payload }) => {
    if (dst === WORLD && payload.kind === 'output') onOutput(src, payload.bytes, vt, index)
  }
}

/** In parts, where that is wanted and can be. */
async function wholeCpuRunner(options: ReplayOptions): Promise<Runner> {
  const { recording, threads, until, onOutput, onNote } = options
  if (threads === undefined || threads.parts.length === 0 || until !== undefined) return await cpuRunner(options)
  const first = await makeCpuReplay(options)
  return runParts({ recording, ...(onOutput && { onOutput }), ...(onNote && { onNote }) }, first, threads)
}

async function makeCpuReplay(options: ReplayOptions, listener?: EntryListener): Promise<CpuReplay> {
  const { machine, recording, until = Number.POSITIVE_INFINITY, onNote } = options
  const usable = options.fromCheckpoint ? usableCheckpoints(recording, onNote) : []
  let checkpoints = usable.filter(({ icount }) => icount < until)
  for (let last = checkpoints.at(-1); last !== undefined; last = checkpoints.at(-1)) {
    try {
      return await replayFrom(last, recording, machine, listener)
    } catch (error) {
      // Each needs those before it.
      const damaged = error instanceof StoreError ? checkpoints.findIndex(({ path }) => path === error.path) : -1
      if (damaged === -1) throw error
      onNote?.(`${(error as StoreError).message} The replay starts before it.`)
      checkpoints = checkpoints.slice(0, damaged)
    }
  }
  const replay = new CpuReplay(machine, recording, listener)
  replay.machine.load(await loadsOf(machine))
  return replay
}

async function cpuRunner(options: ReplayOptions, listener = outputsOf(options)): Promise<Runner> {
  const replay = await makeCpuReplay(options, listener)
  return {
    slice: (isOver) => replay.runSlice(isOver, options.until),
    position: () => positionOf(replay, replay.machine.cpu),
    digest: (identity) => runDigest(identity, replay.machine.contents, options.recording.manifest.formatVersion),
    contents: () => replay.machine.contents,
    statistics: () => replay.machine.cpu.statistics,
    deviceStates: () => ({}),
  }
}

async function fullRunner(options: ReplayOptions): Promise<Runner> {
  const { machine, recording: journal, onUnhandled } = options
  const spec = { ...machine, loads: await loadsOf(machine) }
  const onEntry = outputsOf(options)
  const replay = new FullReplay({ spec, journal, ...(onEntry && { onEntry }), ...(onUnhandled && { onUnhandled }) })
  const { bus } = replay
  return {
    slice: (isOver) => replay.runSlice(isOver, options.until),
    position: () => positionOf({ icount: bus.icount, vt: bus.vt, cursor: replay.cursor }, bus.machine.cpu),
    digest: (identity) => runDigest(identity, bus.machine.contents, journal.manifest.formatVersion),
    statistics: () => bus.machine.cpu.statistics,
    deviceStates: () => deviceDigests(bus.hosts),
  }
}

function deviceRunner(options: ReplayOptions, name: NodeName): Runner {
  const { recording, machine, until } = options
  const device = new DeviceReplay(machine, name, recording, options.onUnhandled)
  const listener = outputsOf(options)
  let cursor = 0
  let last = { icount: 0, vt: 0 }
  return {
    slice(isOver) {
      while (cursor < recording.entryCount) {
        if (isOver()) return { state: 'ran' }
        const entry = recording.entry(cursor)
        if (until !== undefined && entry.icount >= until) return { state: 'until' }
        device.consume(cursor, entry)
        listener?.(cursor, entry)
        last = entry
        cursor++
        if (entry.payload.kind === 'stop') {
          device.finish()
          return { state: 'stopped', reason: entry.payload.reason }
        }
      }
      return { state: 'cut' }
    },
    position: () => ({ icount: last.icount, vt: last.vt, entries: cursor }),
    deviceStates: () => ({ [name]: stateDigest(device.host.save()) }),
  }
}

/** A `cpu` replay brings the bytes that the journal left out. */
async function deviceAndCpuRunner(options: ReplayOptions, name: NodeName): Promise<Runner> {
  const device = new DeviceReplay(options.machine, name, options.recording, options.onUnhandled)
  const output = outputsOf(options)
  const { digest: _, ...runner } = await cpuRunner(options, (index, message, bytes) => {
    device.consume(index, message, bytes)
    if (message.payload.kind === 'stop') device.finish()
    output?.(index, message)
  })
  return { ...runner, deviceStates: () => ({ [name]: stateDigest(device.host.save()) }) }
}
