/**
 * Where a replay may start besides power-on: which checkpoints a recording has for that, and the machine as it is at one.
 */
import assert from 'node:assert/strict'
import {
  type CheckpointFile,
  FlatEntry,
  KIND,
  listCheckpoints,
  type Recording,
  readCheckpoint,
} from '../replay-store/mod.ts'
import { CpuReplay, type EntryListener } from './cpu-replay.ts'
import { loadsOf, type RecordedMachine } from './machine-spec.ts'

const GRID_KINDS = [KIND.grid, KIND.segment]

/** Those that are of this journal and stand before its end, in order. `onNote` is told what is left out, and why. */
export function usableCheckpoints(recording: Recording, onNote?: (text: string) => void): CheckpointFile[] {
  const { files, damage } = listCheckpoints(recording.directory)
  if (damage !== undefined) onNote?.(`${damage.message} The replay does without it, and those after it.`)
  // Those that stand after the end of a journal that was cut off are of no use.
  const inside = files.filter(({ entries }) => entries < recording.entryCount)
  const foreign = inside.findIndex((file) => !isOf(recording, file))
  if (foreign === -1) return inside
  onNote?.(`${inside[foreign]!.path}: it is not of this journal. The replay does without it, and those after it.`)
  return inside.slice(0, foreign)
}

/** Whether the journal has what a checkpoint stands after. */
function isOf(recording: Recording, { entries, icount, vt }: CheckpointFile): boolean {
  if (entries === 0) return false
  const entry = new FlatEntry()
  recording.read(entries - 1, entry)
  return GRID_KINDS.includes(entry.kind) && entry.icount === icount && entry.vt === vt
}

/** A replay that stands where `checkpoint` was taken. Throws a `DamagedError` for one that is, or for one before it. */
export async function replayFrom(
  checkpoint: CheckpointFile,
  recording: Recording,
  machine: RecordedMachine,
  listener?: EntryListener,
): Promise<CpuReplay> {
  const replay = new CpuReplay(machine, recording, listener)
  const { contents, load, fillMemory } = replay.machine
  load(await loadsOf(machine))
  fillMemory()
  for (const file of listCheckpoints(recording.directory).files.slice(0, checkpoint.number)) {
    const { state, pages } = readCheckpoint(file)
    for (const [page, bytes] of pages) contents.writePage(page, bytes)
    if (file.number === checkpoint.number) replay.restore(state, checkpoint.entries)
  }
  assert(replay.cursor === checkpoint.entries, 'there is no such checkpoint')
  return replay
}
