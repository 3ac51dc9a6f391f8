import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Message } from '../bus/mod.ts'
import {
  CheckpointEncoder,
  type CheckpointFile,
  listCheckpoints,
  Recording,
  readCheckpoint,
  rewriteRecording,
  type StoredCheckpoint,
} from '../replay-store/mod.ts'
import type { Divergence } from './divergence.ts'
import { runLive } from './live.ts'
import { PartThreads } from './parallel-replay.ts'
import { type ReplayOptions, type ReplayResult, replay } from './replay.ts'
import {
  longProgram,
  recordWithCheckpoints,
  TEST_CHECKPOINTS,
  type TestMachine,
  testModule,
  testRecording,
  testSpec,
} from './testing.ts'

const PROGRAM = longProgram()
const scratch = t.testdir()
let directories = 0
const directory = (name: string) => join(scratch, `${name}${directories++}.ank`)

const recording = await recordWithCheckpoints(directory('run'), PROGRAM)
const { files, damage } = listCheckpoints(recording.directory)
assert(damage === undefined)

/** What a replay gave and told, without what depends on the host. */
interface Told {
  result: Record<string, unknown>
  outputs: string[]
  notes: string[]
}

async function replayed(
  from: Recording,
  parts: number,
  options: Partial<ReplayOptions> = {},
  threadMachine: Omit<TestMachine, 'program'> = {},
): Promise<Told> {
  const outputs: string[] = []
  const notes: string[] = []
  const onNote = (note: string) => notes.push(note)
  const machine = testModule({ program: PROGRAM, ...threadMachine })
  await using threads = new PartThreads({ recording: from, machine, parts, onNote })
  const result = await replay({
    recording: from,
    machine: testSpec(PROGRAM),
    mode: 'cpu',
    threads,
    onOutput: (src, bytes, vt, index) => outputs.push(`${src} ${bytes} ${vt} ${index}`),
    onNote,
    ...options,
  })
  return { result: comparable(result), outputs, notes }
}

function comparable({ summary, ...result }: ReplayResult): Record<string, unknown> {
  const { instructions, virtualSeconds, journalBytes, digest, statistics } = summary
  return { ...result, instructions, virtualSeconds, journalBytes, digest, statistics }
}

/** The same entries but for those that `edit` changes, with the same checkpoints. */
async function edited(edit: (message: Message, index: number) => Message): Promise<Recording> {
  const to = directory('edited')
  await rewriteRecording(recording.directory, to, edit)
  fs.cpSync(join(recording.directory, 'checkpoints'), join(to, 'checkpoints'), { recursive: true })
  return Recording.open(to)
}

t.test('a run takes checkpoints, and its replays in parts are as one', async (t) => {
  t.equal(files.length, 3)
  t.same(recording.verify(), [])
  const alone = await replayed(recording, 1)
  t.match(alone, { result: { state: 'agreed', digest: recording.manifest.end?.digest }, notes: [] })
  t.ok(alone.outputs.length > 60)
  for (const parts of [2, 3, 4, 9]) t.same(await replayed(recording, parts), alone, `${parts} parts`)
  for (const options of [{ until: 5000 }, { mode: 'full' } as const]) {
    const { result } = await replayed(recording, 3, options)
    t.equal(result['state'], options.until === undefined ? 'agreed' : 'until')
  }
})

t.test('a live run takes them too, and its journal is as without', async (t) => {
  const at = directory('live')
  const writer = testRecording(at)
  const checkpoints = { ...TEST_CHECKPOINTS, firstInstructions: 0 }
  const { summary } = await runLive({ machine: testSpec(PROGRAM), sources: [], recording: writer, checkpoints })
  t.equal(summary.digest, recording.manifest.end?.digest)
  const live = Recording.open(at)
  t.ok(listCheckpoints(at).files.length >= 1)
  t.same(live.verify(), [])
  for (const segment of fs.readdirSync(join(at, 'journal'))) {
    const [one, other] = [at, recording.directory].map((each) => fs.readFileSync(join(each, 'journal', segment)))
    t.ok(one!.equals(other!), segment)
  }
  t.match(await replayed(live, 2), { result: { state: 'agreed' }, notes: [] })

  const plain = directory('plain')
  await runLive({ machine: testSpec(PROGRAM), sources: [], recording: testRecording(plain) })
  t.equal(fs.existsSync(join(plain, 'checkpoints')), false, 'a short run has none')
  t.match(await replayed(Recording.open(plain), 3), { result: { state: 'agreed' }, notes: [] })
})

/** The first grid entry in each of four parts, from the middle of the part on. */
function targets(): number[] {
  const borders = [0, ...files.map(({ entries }) => entries), recording.entryCount]
  return borders.slice(1).map((end, part) => {
    let index = (borders[part]! + end) >> 1
    while (recording.entry(index).payload.kind !== 'grid') index++
    return index
  })
}

const wrongHash = (message: Message): Message =>
  message.payload.kind === 'grid'
    ? { ...message, payload: { kind: 'grid', hash: (message.payload.hash ^ 1) >>> 0 } }
    : message

t.test('a divergence in any part is reported as the serial replay does, the first of several', async (t) => {
  const each = targets()
  for (const wrong of [...each.map((target) => [target]), each.slice(1), [each[0]!, each[3]!]]) {
    const changed = await edited((message, index) => (wrong.includes(index) ? wrongHash(message) : message))
    const alone = await replayed(changed, 1)
    t.equal((alone.result['divergence'] as Divergence).entry, wrong[0])
    for (const parts of [2, 3, 4]) t.same(await replayed(changed, parts), alone, `entries ${wrong}, ${parts} parts`)
  }
})

t.test('a divergence just where parts meet', async (t) => {
  for (const around of [-1, 0]) {
    const target = files[1]!.entries + around
    const changed = await edited((message, index) => {
      if (index !== target) return message
      if (message.payload.kind === 'grid') return wrongHash(message)
      return message.payload.kind === 'read'
        ? { ...message, payload: { ...message.payload, offset: 1 } }
        : assert.fail()
    })
    const alone = await replayed(changed, 1)
    t.equal(alone.result['state'], 'diverged')
    for (const parts of [2, 4]) t.same(await replayed(changed, parts), alone, `entry ${target}, ${parts} parts`)
  }
})

t.test('a journal that was cut off', async (t) => {
  for (const entries of [files[0]!.entries + 500, files[1]!.entries, files[1]!.entries + 1, recording.entryCount - 1]) {
    const to = directory('cut')
    const writer = testRecording(to)
    for (const message of recording.entries(0, entries)) writer.append(message)
    await writer.abandon()
    fs.cpSync(join(recording.directory, 'checkpoints'), join(to, 'checkpoints'), { recursive: true })
    const cut = Recording.open(to)
    const alone = await replayed(cut, 1)
    t.match(alone.result, { state: 'cut', entries })
    for (const parts of [2, 4]) t.same(await replayed(cut, parts), alone, `${entries} entries, ${parts} parts`)
  }
})

t.test('an abort ends all parts, be they under way or starting', async (t) => {
  for (const stalls of ['making', 'running'] as const) {
    const controller = new AbortController()
    // The first part comes to its end; no thread ever tells of more than that it has begun.
    const onProgress = ({ entries }: { entries: number }) => {
      if (entries >= files[0]!.entries) controller.abort()
    }
    const options = { signal: controller.signal, onProgress }
    const { result } = await replayed(recording, 4, options, { stalls })
    t.match(result, { state: 'aborted', position: { entries: files[0]!.entries } }, stalls)
  }
})

t.test('progress goes on to the end', async (t) => {
  const seen: number[] = []
  await replayed(recording, 4, { onProgress: ({ instructions }) => seen.push(instructions) })
  t.same(
    seen.toSorted((a, b) => a - b),
    seen,
  )
  t.equal(seen.at(-1), recording.manifest.end?.instructions)
})

/** A recording with the same journal and other checkpoints, their checksums right. */
async function withCheckpoints(alter: (stored: StoredCheckpoint, number: number) => StoredCheckpoint) {
  const to = directory('altered')
  const writer = testRecording(to)
  const byEntries = new Map(files.map((file) => [file.entries, file]))
  for (const [index, message] of [...recording.entries()].entries()) {
    writer.append(message)
    const file = byEntries.get(index + 1)
    if (file === undefined) continue
    const { state, pages } = alter(readCheckpoint(file), file.number)
    const all = [...pages]
    const encoder = new CheckpointEncoder(file, state)
    await encoder.add({
      pages: Uint32Array.from(all, ([page]) => page),
      bytes: Buffer.concat(all.map(([, bytes]) => bytes)),
    })
    writer.addCheckpoint(encoder)
    await writer.checkpointsWritten()
  }
  const { entries: _, identity: __, ...end } = recording.manifest.end ?? assert.fail()
  await writer.close(end)
  return Recording.open(to)
}

t.test('a checkpoint that is not of this run, its checksums right, is found out', async (t) => {
  const same = await withCheckpoints((stored) => stored)
  t.match(await replayed(same, 4), { result: { state: 'agreed' }, notes: [] })
  const alterations: [string, (stored: StoredCheckpoint) => StoredCheckpoint][] = [
    [
      'a byte of memory',
      ({ state, pages }) => ({ state, pages: [...pages].map(([page, bytes]) => [page, flip(bytes)]) }),
    ],
    ['a page left out', ({ state, pages }) => ({ state, pages: withoutOne([...pages]) })],
    ['the clock', ({ state, pages }) => ({ state: { ...state, idleNs: state.idleNs + 10 }, pages })],
    ['a register', ({ state, pages }) => ({ state: { ...state, cpu: { ...state.cpu, timerDue: 77 } }, pages })],
    ['a line', ({ state, pages }) => ({ state: { ...state, cpuSide: { ...state.cpuSide, lines: [5] } }, pages })],
  ]
  for (const [what, alter] of alterations) {
    const altered = await withCheckpoints((stored, number) => (number === 2 ? alter(stored) : stored))
    t.same(altered.verify(), [], 'its files are sound')
    const { result } = await replayed(altered, 4)
    t.equal(result['state'], 'diverged', what)
    const { entry, what: report } = result['divergence'] as Divergence
    t.equal(entry, files[1]!.entries, what)
    t.match(report, /not that of its checkpoint .*checkpoints\/000002$/)
    t.match((await replayed(altered, 1)).result, { state: 'agreed' }, 'the serial replay has no use for it')
  }
})

/** Without any of those of one number. */
function withoutOne(pages: (readonly [number, Uint8Array])[]) {
  return pages.filter(([page]) => page !== pages[0]?.[0])
}

function flip(bytes: Uint8Array): Uint8Array {
  const flipped = bytes.slice()
  flipped[100]! ^= 1
  return flipped
}

t.test('a checkpoint that cannot be used is left out, with a note', async (t) => {
  const alone = await replayed(recording, 1)
  const strange = await withCheckpoints(({ state, pages }, number) =>
    number === 2 ? { state: { ...state, cpu: {} }, pages } : { state, pages },
  )
  const path = (number: number) => join('checkpoints', String(number).padStart(6, '0'))
  const harms: [string, (file: string) => void][] = [
    ['cut', (file) => fs.truncateSync(file, fs.statSync(file).size - 5)],
    ['empty', (file) => fs.truncateSync(file, 0)],
    ['missing', (file) => fs.rmSync(file)],
    ['a directory', (file) => [fs.rmSync(file), fs.mkdirSync(file)]],
    ['a byte of its header', (file) => flipByte(file, 20)],
    ['a byte of its body', (file) => flipByte(file, fs.statSync(file).size - 20)],
  ]
  for (const [what, harm] of harms) {
    const harmed = await edited((message) => message)
    harm(join(harmed.directory, path(2)))
    const { notes, ...rest } = await replayed(harmed, 4)
    t.same(rest, { result: alone.result, outputs: alone.outputs }, what)
    t.ok(notes.length > 0 && notes.every((note) => note.includes(path(2))), `${what}: ${notes}`)
  }
  const { result, notes } = await replayed(strange, 3)
  t.same(result, alone.result)
  t.match(notes, [new RegExp(`without checkpoint .*${path(2)}: `)])
})

function flipByte(file: string, at: number): void {
  const bytes = fs.readFileSync(file)
  bytes[at]! ^= 0x10
  fs.writeFileSync(file, bytes)
}

t.test('checkpoints of another recording are not used', async (t) => {
  const other = await recordWithCheckpoints(directory('other'), { ...PROGRAM, 5: { op: 'timer', due: 60 } })
  const mixed = await edited((message) => message)
  for (const [index, file] of listCheckpoints(other.directory).files.entries()) {
    fs.cpSync(file.path, join(mixed.directory, 'checkpoints', `00000${index + 1}`))
  }
  t.match(await replayed(mixed, 4), {
    result: { state: 'agreed' },
    notes: [/checkpoints\/000001: it is not of this journal/],
  })
})

t.test('a thread that dies leaves its part to the one before', async (t) => {
  const alone = await replayed(recording, 1)
  for (const dies of ['making', 'running', 'failing'] as const) {
    for (const parts of [2, 4]) {
      const { notes, ...rest } = await replayed(recording, parts, {}, { dies })
      t.same(rest, { result: alone.result, outputs: alone.outputs }, `${dies}, ${parts} parts`)
      t.equal(notes.length, parts - 1)
      const why = dies === 'failing' ? /this thread fails/ : /its thread ended/
      for (const note of notes) t.match(note, why)
    }
  }
})

t.test('what a checkpoint holds is what was written', async (t) => {
  const stored = files.map((file: CheckpointFile) => readCheckpoint(file))
  const pages = stored.map(({ pages: changed }) => [...changed].map(([page]) => page))
  // Stores and DMA have come to these pages of RAM by then; nothing was written elsewhere.
  for (const [index, changed] of pages.entries()) {
    t.ok(changed.length > 0 && changed.length < 16, `checkpoint ${index + 1}: pages ${changed}`)
    t.equal(stored[index]!.state.entryCount, files[index]!.entries)
    t.same(
      Object.keys(stored[index]!.state.devices),
      testSpec(PROGRAM).board.devices.map(({ name }) => name),
    )
  }
})
