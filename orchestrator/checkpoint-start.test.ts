import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { MachineContents } from '../bus/mod.ts'
import { type CheckpointFile, listCheckpoints, Recording, rewriteRecording } from '../replay-store/mod.ts'
import { usableCheckpoints } from './checkpoint-start.ts'
import { runDigest } from './digest.ts'
import { type ReplayOptions, type ReplayResult, replay } from './replay.ts'
import { longProgram, recordWithCheckpoints, testSpec } from './testing.ts'

const PROGRAM = longProgram()
const root = t.testdir()
const recording = await recordWithCheckpoints(join(root, 'run.ank'), PROGRAM)
const { files } = listCheckpoints(recording.directory)
const [first, second, third] = files as [CheckpointFile, CheckpointFile, CheckpointFile]

/** What the machine holds where the replay ends, how it ended, and where it was first heard of. */
interface Told {
  digest: string
  result: ReplayResult
  begun: number
  notes: string[]
}

async function replayed(from: Recording, options: Partial<ReplayOptions>): Promise<Told> {
  const notes: string[] = []
  let contents: MachineContents | undefined
  let begun = Number.POSITIVE_INFINITY
  const result = await replay({
    recording: from,
    machine: testSpec(PROGRAM),
    mode: 'cpu',
    onNote: (note) => notes.push(note),
    onOutput: (_src, _bytes, _vt, index) => {
      begun = Math.min(begun, index)
    },
    onEnd: (reached) => {
      contents = reached
    },
    ...options,
  })
  assert(contents !== undefined)
  return { digest: runDigest('', contents), result, begun, notes }
}

t.test('a replay that starts at a checkpoint holds what one from power-on does', async (t) => {
  t.equal(files.length, 3)
  const positions = files.flatMap(({ icount }) => [icount - 1, icount, icount + 1, icount + 333])
  for (const until of [5, ...positions, undefined]) {
    const end = until === undefined ? {} : { until }
    const [near, far] = [await replayed(recording, { ...end, fromCheckpoint: true }), await replayed(recording, end)]
    t.equal(near.digest, far.digest, `until ${until}`)
    t.equal(near.result.state, far.result.state)
    t.equal(near.result.summary.digest, far.result.summary.digest)
    const start = files.findLast(({ icount }) => icount < (until ?? Number.POSITIVE_INFINITY))
    t.ok(near.begun >= (start?.entries ?? 0))
    t.same(near.notes, [])
  }
})

t.test('what comes after the checkpoint is compared', async (t) => {
  const to = join(root, 'edited.ank')
  let isEdited = false
  await rewriteRecording(recording.directory, to, (message, index) => {
    const { payload } = message
    if (isEdited || index < third.entries || payload.kind !== 'grid') return message
    isEdited = true
    return { ...message, payload: { ...payload, hash: (payload.hash ^ 1) >>> 0 } }
  })
  fs.cpSync(join(recording.directory, 'checkpoints'), join(to, 'checkpoints'), { recursive: true })
  const options = {
    recording: Recording.open(to),
    machine: testSpec(PROGRAM),
    mode: 'cpu',
    fromCheckpoint: true,
  } as const
  const result = await replay(options)
  t.match(result, { state: 'diverged', divergence: { expected: { payload: { kind: 'grid' } } } })
})

t.test('a damaged one is left out, with those that need it', async (t) => {
  const to = join(root, 'damaged.ank')
  fs.cpSync(recording.directory, to, { recursive: true })
  const path = join(to, 'checkpoints', '000002')
  const bytes = fs.readFileSync(path)
  bytes[bytes.length >> 1]! ^= 1
  fs.writeFileSync(path, bytes)
  const until = third.icount + 100
  const far = await replayed(recording, { until })
  const near = await replayed(Recording.open(to), { until, fromCheckpoint: true })
  t.equal(near.digest, far.digest)
  t.ok(near.begun >= first.entries && near.begun < second.entries)
  t.match(near.notes, [/000002: the body of the checkpoint: .* The replay starts before it\.$/])
  fs.truncateSync(path, 10)
  const notes: string[] = []
  t.equal(usableCheckpoints(Recording.open(to), (note) => notes.push(note)).length, 1)
  t.match(notes, [/000002: the header of the checkpoint/])
})
