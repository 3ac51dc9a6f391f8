/**
 * A thread that replays a part of a journal from a checkpoint on. It tells what it has agreed with, and does what it is told
 * to when its part is done.
 */
import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { type CheckpointFile, Recording } from '../replay-store/mod.ts'
import { replayFrom } from './checkpoint-start.ts'
import type { ReplaySlice } from './cpu-replay.ts'
import { runDigest } from './digest.ts'
import { type Divergence, DivergenceError } from './divergence.ts'
import { REPLAY_SLICE_MS, serveHost, sliceOf } from './host-loop.ts'
import type { MachineModule, MakeMachine } from './machine-spec.ts'
import type { PartWorkerData } from './part-worker.ts'
import { positionOf, type ReplayPosition, type Statistics } from './runner.ts'

/** What the thread is told first: what its part is. */
export interface PartData {
  directory: string
  /** Of the journal: it must not have grown meanwhile. */
  entryCount: number
  machine: MachineModule
  /** The part begins at this one. */
  checkpoint: CheckpointFile
  /** Entries of the journal before which it ends; absent: with the journal. */
  end?: number
}

/** What it is told when its part is done. `goOn`: there is no part after this before `end`. `digest`: for the digest of the run. */
export type PartCommand = { kind: 'goOn'; end?: number } | { kind: 'digest'; identity: string }

/**
 * What it tells. `state`: a digest of the state with which the part began, or which it `reached`. `statistics`: with the last
 * slice, for it takes a look at each page of memory.
 */
export type PartReport =
  | { kind: 'began'; state: string }
  | { kind: 'slice'; slice: ReplaySlice; position: ReplayPosition; statistics?: Statistics; state?: string }
  | { kind: 'diverged'; divergence: Divergence; position: ReplayPosition; statistics: Statistics }
  | { kind: 'digest'; digest: string }
  | { kind: 'failed'; what: string }

assert(parentPort !== null, 'this is a thread')
const port = parentPort
const tell = (report: PartReport) => port.postMessage(report)

try {
  const { makeMachine } = (await import((workerData as PartWorkerData).machine)) as { makeMachine: MakeMachine }
  await runPart(makeMachine, await nextMessage<PartData>())
} catch (error) {
  tell({ kind: 'failed', what: error instanceof Error ? error.message : String(error) })
}
port.close()

async function runPart(makeMachine: MakeMachine, data: PartData): Promise<void> {
  const { directory, entryCount, machine, checkpoint, end } = data
  const recording = Recording.open(directory)
  assert(recording.entryCount === entryCount, `${directory} is still being written`)
  const replay = await replayFrom(checkpoint, recording, await makeMachine(recording, machine.data))
  const { contents, cpu } = replay.machine
  const before = cpu.statistics
  replay.goTo(end)
  tell({ kind: 'began', state: replay.stateDigest() })
  for (;;) {
    const position = () => positionOf(replay, cpu)
    const statistics = () => difference(cpu.statistics, before)
    let slice: ReplaySlice
    try {
      slice = replay.runSlice(sliceOf(REPLAY_SLICE_MS))
    } catch (error) {
      if (!(error instanceof DivergenceError)) throw error
      tell({ kind: 'diverged', divergence: error.divergence, position: position(), statistics: statistics() })
      return
    }
    if (slice.state === 'ran') {
      tell({ kind: 'slice', slice, position: position() })
      await serveHost()
      continue
    }
    const state = slice.state === 'reached' && { state: replay.stateDigest() }
    tell({ kind: 'slice', slice, position: position(), statistics: statistics(), ...state })
    const command = await nextMessage<PartCommand>()
    if (command.kind === 'goOn') replay.goTo(command.end)
    else {
      tell({ kind: 'digest', digest: runDigest(command.identity, contents, recording.manifest.formatVersion) })
      return
    }
  }
}

async function nextMessage<T>(): Promise<T> {
  return await new Promise((resolve) => port.once('message', resolve))
}

/** Counts of this part alone. */
function difference(now: Statistics, before: Statistics): Statistics {
  return Object.fromEntries(Object.entries(now).map(([name, count]) => [name, count - (before[name] ?? 0)]))
}
