import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type BusState, type Message, PAGE_BYTES } from '../bus/mod.ts'
import { CheckpointEncoder, type CheckpointFile, listCheckpoints, readCheckpoint } from './checkpoint.ts'
import { DamagedError, StoreError } from './errors.ts'
import { hostFiles, type StoreFiles } from './files.ts'
import { checkpointPath } from './layout.ts'
import { Recording } from './recording.ts'
import { RecordingWriter } from './recording-writer.ts'
import { Random, randomMessages, sampleManifest } from './sample.ts'

const SEED = 77
const SEGMENT_ENTRIES = 20
const PAGES = [[3, 8, 70_000, 8, 4], [3], []] as const
const messages = randomMessages(PAGES.length * SEGMENT_ENTRIES, new Random(SEED)).map(
  (message, i): Message =>
    i % SEGMENT_ENTRIES === SEGMENT_ENTRIES - 1
      ? { ...message, payload: { kind: 'segment', hashLow: 1, hashHigh: 2 } }
      : message,
)

const stateOf = (entries: number): BusState => ({
  idleNs: 12_345_678_901,
  nextGrid: 5,
  nextAsk: 7,
  nextHash: 8,
  gridIcount: 6,
  segmentEntries: 0,
  entryCount: entries,
  resetAsked: false,
  stopAsked: null,
  cpu: { version: 1, state: Uint8Array.of(1, 2, 3), isa: { lines: 3 } },
  cpuSide: { placements: [], lines: [2], indexes: { 'rtc.index': 5 }, kept: [] },
  devices: { uart0: { type: 'uart', version: 1, levels: [0, 1], due: Number.MAX_SAFE_INTEGER, state: { ier: 7 } } },
})

const pageOf = (page: number, entries: number) => new Uint8Array(PAGE_BYTES).fill((page + entries) % 251)

/** Adds a checkpoint, its pages two at a time. */
function addCheckpoint(writer: RecordingWriter, entries: number, pages: readonly number[]): void {
  const { icount, vt } = messages[entries - 1] ?? assert.fail()
  const encoder = new CheckpointEncoder({ entries, icount, vt, hostMs: entries / 3 }, stateOf(entries))
  for (let at = 0; at < pages.length; at += 2) {
    const some = pages.slice(at, at + 2)
    const bytes = Buffer.concat(some.map((page) => pageOf(page, entries)))
    void encoder.add({ pages: Uint32Array.from(some), bytes })
  }
  writer.addCheckpoint(encoder)
}

/** With a checkpoint after each segment. */
async function write(directory: string, files: StoreFiles = hostFiles): Promise<RecordingWriter> {
  const writer = RecordingWriter.create(directory, sampleManifest(), [], { files })
  for (const [index, message] of messages.entries()) {
    writer.append(message)
    if (message.payload.kind !== 'segment' || !writer.takesCheckpoint) continue
    addCheckpoint(writer, index + 1, PAGES[Math.floor(index / SEGMENT_ENTRIES)]!)
    await writer.checkpointsWritten()
  }
  const zeros = '0'.repeat(64)
  await writer.close({ reason: 'quit', instructions: 1, vt: 1, digest: zeros, deviceStates: {} })
  return writer
}

t.test('what was written is read', async (t) => {
  const directory = join(t.testdir(), 'a.ank')
  await write(directory)
  const { files, damage } = listCheckpoints(directory)
  t.equal(damage, undefined)
  t.same(
    files.map(({ number, entries }) => [number, entries]),
    [
      [1, 20],
      [2, 40],
      [3, 60],
    ],
  )
  for (const [index, file] of files.entries()) {
    const { entries, icount, vt } = file
    t.match(messages[entries - 1], { icount, vt })
    t.equal(file.hostMs, Math.round(entries / 3))
    t.equal(file.fileBytes, fs.statSync(file.path).size)
    const { state, pages } = readCheckpoint(file)
    t.same(state, stateOf(entries))
    const expected = PAGES[index]!.map((page) => [page, pageOf(page, entries)] as const)
    t.same(
      [...pages].map(([page, bytes]) => [page, new Uint8Array(bytes)]),
      expected,
    )
  }
  t.same(Recording.open(directory).verify(), [])
  t.same(listCheckpoints(join(t.testdirName, 'none')), { files: [], damage: undefined })
})

t.test('no checkpoint is taken while one is being written', async (t) => {
  const writer = RecordingWriter.create(join(t.testdir(), 'a.ank'), sampleManifest(), [])
  for (const message of messages.slice(0, 20)) writer.append(message)
  t.ok(writer.takesCheckpoint)
  addCheckpoint(writer, 20, [1])
  t.notOk(writer.takesCheckpoint)
  t.throws(() => addCheckpoint(writer, 20, []), /is being written/)
  await t.rejects(writer.abandon(), /still being written/)
  await writer.checkpointsWritten()
  t.ok(writer.takesCheckpoint)
  await writer.abandon()
})

t.test(
  'every cut of a checkpoint is found and named, and every flipped bit that matters to what it holds',
  async (t) => {
    const directory = join(t.testdir(), 'a.ank')
    await write(directory)
    const path = checkpointPath(directory, 2)
    const whole = fs.readFileSync(path)
    const contentsOf = (file: CheckpointFile | undefined) => {
      const { state, pages } = readCheckpoint(file ?? assert.fail())
      return { state, pages: [...pages].map(([page, bytes]) => [page, Uint8Array.from(bytes)]) }
    }
    const contents = contentsOf(listCheckpoints(directory).files[1])
    const isFound = (bytes: Uint8Array, what: string) => {
      fs.writeFileSync(path, bytes)
      const [found, ...more] = Recording.open(directory).verify()
      const { files, damage } = listCheckpoints(directory)
      if (found === undefined) {
        t.equal(damage, undefined)
        assert.deepEqual(contentsOf(files[1]), contents, what)
        return false
      }
      if (found.path !== path || more.length > 0) t.fail(`${what}: found ${found.message}`)
      if (damage === undefined) t.throws(() => readCheckpoint(files[1] ?? assert.fail()), { name: 'DamagedError' })
      else t.match({ files: files.length, damage }, { files: 1, damage: { constructor: DamagedError, path } })
      return true
    }
    const harmed = (bytes: Uint8Array, what: string) => t.ok(isFound(bytes, what), what)
    let harmless = 0
    for (let at = 0; at < whole.length; at++) {
      const flipped = Buffer.from(whole)
      flipped[at]! ^= 1 << (at & 7)
      if (!isFound(flipped, `byte ${at}`)) harmless++
      harmed(whole.subarray(0, at), `cut at ${at}`)
    }
    t.ok(harmless < whole.length / 20, `of ${whole.length} flipped bits ${harmless} did not matter`)
    harmed(Buffer.concat([whole, Buffer.of(0)]), 'a byte more')
    harmed(fs.readFileSync(checkpointPath(directory, 1)), 'another checkpoint')
    fs.rmSync(path)
    t.match(listCheckpoints(directory), { files: [{ number: 1 }], damage: { path, message: /the file is missing/ } })
    t.match(Recording.open(directory).verify(), [{ path }])
    fs.mkdirSync(path)
    t.match(listCheckpoints(directory).damage, { constructor: StoreError, path })
  },
)

t.test('a checkpoint that cannot be written is left out, and the recording goes on', async (t) => {
  const fail = () => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  }
  const failures: [string, Partial<StoreFiles>][] = [
    ['bytes', { writeAside: fail }],
    [
      'some of the bytes',
      { writeAside: async (file, bytes) => (bytes.length < 100 ? hostFiles.write(file, bytes) : fail()) },
    ],
    ['the name', { rename: (from, to) => (to.includes('checkpoints') ? fail() : hostFiles.rename(from, to)) }],
    ['the directory', { makeDirectory: (path) => (/points$/.test(path) ? fail() : hostFiles.makeDirectory(path)) }],
  ]
  for (const [what, files] of failures) {
    const directory = join(t.testdir({}), 'a.ank')
    const writer = await write(directory, { ...hostFiles, ...files })
    t.match(writer.checkpointFailure, { name: 'WriteError', message: /checkpoints\/000001: .*the disk is full/ }, what)
    t.notOk(fs.existsSync(`${checkpointPath(directory, 1)}.tmp`), 'it takes no room')
    const recording = Recording.open(directory)
    t.same(recording.verify(), [])
    t.equal(recording.entryCount, messages.length)
    t.same(listCheckpoints(directory), { files: [], damage: undefined })
  }
})
