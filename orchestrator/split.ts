/**
 * Where a replay that runs in parts is split.
 */
import type { CheckpointFile } from '../replay-store/mod.ts'

/**
 * Of a part that begins at a checkpoint, in milliseconds: its thread, the machine, memory, and the code that the part before has
 * translated already.
 */
const START_MS = 500
/** A split must make the replay shorter by this share: it takes a core and memory. */
const MIN_GAIN = 0.1

/**
 * The checkpoints where parts 2 and on begin, in order: at most `parts` - 1, so that the longest part takes the least time, and
 * none where that does not pay. Time is what the recorder took; after the last checkpoint the other of `instructions` are
 * taken to go on as fast as those before.
 */
export function splitByTime(
  checkpoints: readonly CheckpointFile[],
  instructions: number,
  parts: number,
): CheckpointFile[] {
  const last = checkpoints.at(-1)
  const totalMs = last === undefined ? 0 : (instructions / last.icount) * last.hostMs
  let best: CheckpointFile[] = []
  // The shortest time is searched for in which the parts can be done, to the millisecond.
  let [low, high] = [0, (1 - MIN_GAIN) * totalMs]
  while (high - low >= 1) {
    const middle = (low + high) / 2
    const starts = splitWithin(checkpoints, totalMs, parts, middle)
    if (starts === undefined) low = middle
    else {
      best = starts
      high = middle
    }
  }
  return best
}

/** With each part as long as it can be in `ms`; undefined where they are not done then. */
function splitWithin(checkpoints: readonly CheckpointFile[], totalMs: number, parts: number, ms: number) {
  const starts: CheckpointFile[] = []
  let endMs = ms
  while (endMs < totalMs) {
    const next = checkpoints.findLast(({ hostMs }) => hostMs <= endMs)
    if (next === undefined || next === starts.at(-1) || starts.length + 1 === parts) return undefined
    starts.push(next)
    endMs = next.hostMs + ms - START_MS
  }
  return starts
}

/** The same with `parts` parts, or as many as there can be, of about as many checkpoints each, however long they take. */
export function splitByNumber(checkpoints: readonly CheckpointFile[], parts: number): CheckpointFile[] {
  const pieces = checkpoints.length + 1
  const count = Math.min(parts, pieces)
  return Array.from({ length: count - 1 }, (_, index) => checkpoints[Math.floor(((index + 1) * pieces) / count) - 1]!)
}
