import * as fs from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LocalBus } from '../bus/mod.ts'
import { diskBoard } from '../bus/testing.ts'
import { hostFiles, listCheckpoints, Recording, type RecordingWriter } from '../replay-store/mod.ts'
import { Checkpointer } from './checkpointer.ts'
import { longProgram, TEST_CHECKPOINTS, testRecording, testSpec } from './testing.ts'

interface Run {
  at: string
  writer: RecordingWriter
  checkpointer: Checkpointer
  /** From now on nothing can be written. */
  fillDisk(): void
}

/** A recorded run whose first checkpoint is begun, and has pages to come. */
function runWithCheckpointBegun(t: Test): Run {
  const at = join(t.testdir(), 'a.ank')
  let isFull = false
  const write: typeof hostFiles.write = (file, bytes) => {
    if (isFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    return hostFiles.write(file, bytes)
  }
  const writer = testRecording(at, diskBoard(), { files: { ...hostFiles, write } })
  const bus = new LocalBus({
    ...testSpec(longProgram()),
    sink: writer,
    sources: [],
    onGrid: () => checkpointer.onGrid(),
  })
  const checkpointer = new Checkpointer(bus, writer, 0, TEST_CHECKPOINTS)
  bus.runSlice({ until: [{ icount: 0, vt: 0, entries: 1 }] })
  checkpointer.powerOn()
  bus.runSlice({ maxInstructions: 2 * (TEST_CHECKPOINTS.firstInstructions ?? 0) })
  return { at, writer, checkpointer, fillDisk: () => (isFull = true) }
}

t.test('a checkpoint is written when its pages have come', async (t) => {
  const { at, writer, checkpointer } = runWithCheckpointBegun(t)
  t.same(listCheckpoints(at).files, [])
  await checkpointer.settled()
  await writer.abandon()
  t.equal(listCheckpoints(at).files.length, 1)
  t.same(Recording.open(at).verify(), [])
})

t.test(
  'a journal that cannot be written while they come: there is no checkpoint, and one failure is told',
  async (t) => {
    const { at, writer, checkpointer, fillDisk } = runWithCheckpointBegun(t)
    fillDisk()
    await t.rejects(writer.flush(), { name: 'WriteError', message: /the disk is full/ })
    await checkpointer.settled()
    t.notOk(fs.existsSync(join(at, 'checkpoints')))
    t.equal(writer.checkpointFailure, undefined)
    t.same(Recording.open(at).verify(), [])
  },
)

t.test('a run that ends while they come has no such checkpoint', async (t) => {
  const { at, writer, checkpointer } = runWithCheckpointBegun(t)
  checkpointer.close()
  await checkpointer.settled()
  await writer.abandon()
  t.notOk(fs.existsSync(join(at, 'checkpoints')))
  t.same(Recording.open(at).verify(), [])
})
