import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Message } from '../bus/mod.ts'
import { DamagedError, NotARecordingError, RecordingExistsError, StoreError } from './errors.ts'
import { JournalHasher } from './identity.ts'
import { segmentPath, tailPath } from './layout.ts'
import { Recording } from './recording.ts'
import { type Image, RecordingWriter } from './recording-writer.ts'
import { Random, randomMessages, SAMPLE_NODES, sampleManifest } from './sample.ts'

const IMAGES: readonly Image[] = [
  { name: 'kernel', bytes: Uint8Array.of(1, 2, 3, 4) },
  { name: 'initrd', bytes: Uint8Array.of(5, 6, 7) },
]
const ZEROS = '0'.repeat(64)
const END = { reason: 'poweroff' as const, instructions: 10, vt: 80, digest: ZEROS, deviceStates: { uart0: ZEROS } }

/** Random entries with a `segment` after every `segmentEntries`. */
function sampleEntries(random: Random, count: number, segmentEntries: number): Message[] {
  return randomMessages(count, random).map((message, i) =>
    i % segmentEntries === segmentEntries - 1
      ? { ...message, payload: { kind: 'segment', hashLow: i, hashHigh: i } }
      : message,
  )
}

async function write(
  directory: string,
  messages: readonly Message[],
  closed: boolean,
  flushEvery = 1000,
): Promise<RecordingWriter> {
  const writer = RecordingWriter.create(directory, sampleManifest(), IMAGES)
  for (const [i, message] of messages.entries()) {
    writer.append(message)
    if (i % flushEvery === flushEvery - 1) await writer.flush()
  }
  if (closed) await writer.close(END)
  else await writer.abandon()
  return writer
}

function allFiles(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

t.test('what was written is read, closed or not', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const messages = sampleEntries(new Random(seed), 1000, 150)
  const hasher = new JournalHasher(SAMPLE_NODES)
  for (const message of messages) hasher.append(message)
  for (const closed of [true, false]) {
    const directory = join(t.testdir(), 'a.ank')
    const writer = await write(directory, messages, closed, 7)
    t.equal(writer.entryCount, 1000)
    const recording = Recording.open(directory)
    t.equal(recording.entryCount, 1000)
    t.equal(recording.journalBytes, writer.journalBytes)
    t.strictSame([...recording.entries()], messages)
    t.strictSame([...recording.entries(149, 452)], messages.slice(149, 452))
    for (const index of [0, 149, 150, 500, 899, 900, 999]) t.strictSame(recording.entry(index), messages[index])
    t.throws(() => recording.entry(1000), { name: 'AssertionError' })
    t.equal(recording.identity(), hasher.digest())
    t.strictSame(recording.manifest, writer.manifest)
    t.strictSame(new Uint8Array(recording.image('initrd')), IMAGES[1]!.bytes)
    t.strictSame(new Uint8Array(await recording.readImageAside('initrd')()), IMAGES[1]!.bytes)
    t.throws(() => recording.image('disk'), { constructor: StoreError, message: /no image disk.*kernel, initrd/ })
    t.strictSame(recording.verify(), [])
    if (closed) {
      t.equal(recording.truncated, undefined)
      t.match(recording.manifest.end, { ...END, entries: 1000, identity: hasher.digest() })
    } else {
      t.match(recording.truncated, { entries: 1000, path: tailPath(directory, 6), what: 'the recording has no end' })
      t.notOk(recording.manifest.end)
    }
    fs.rmSync(directory, { recursive: true })
  }
})

t.test('an empty journal', async (t) => {
  for (const closed of [true, false]) {
    const directory = join(t.testdir(), 'a.ank')
    await write(directory, [], closed)
    const recording = Recording.open(directory)
    t.equal(recording.entryCount, 0)
    t.strictSame([...recording.entries()], [])
    t.equal(recording.findByIcount(0), 0)
    t.equal(recording.truncated === undefined, closed)
    fs.rmSync(directory, { recursive: true })
  }
})

t.test('entries of a node and by icount, against a search of them all', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  const messages = sampleEntries(random, 600, 100)
  const directory = join(t.testdir(), 'a.ank')
  await write(directory, messages, false)
  const recording = Recording.open(directory)
  const last = messages.at(-1)!.icount
  for (let i = 0; i < 60; i++) {
    const node = random.pick(SAMPLE_NODES)
    const around = random.pick(messages).icount
    const [from, to] = random.pick([
      [0, Number.POSITIVE_INFINITY],
      [around, around + 1],
      [around, last],
      [around + 1, around + 2 ** 32],
      [last + 1, last + 2],
    ] as const)
    const expected = messages
      .map((message, index) => ({ index, message }))
      .filter(({ message: { src, dst, icount } }) => (src === node || dst === node) && icount >= from && icount < to)
    t.strictSame([...recording.entriesOfNode(node, from, to)], expected, `${node} ${from} ${to}`)
    const first = messages.findIndex((message) => message.icount >= from)
    t.equal(recording.findByIcount(from), first === -1 ? messages.length : first)
  }
  t.throws(() => [...recording.entriesOfNode('nobody')], { constructor: StoreError, message: /no node nobody/ })
})

t.test('a search reads only the segments that the index names', async (t) => {
  const quiet = (i: number): Message => ({
    vt: i * 8,
    icount: i,
    src: 'cpu',
    dst: 'bus',
    payload: { kind: 'grid', hash: i },
  })
  const messages = Array.from({ length: 40 }, (_, i): Message => {
    if (i % 10 === 9) return { ...quiet(i), payload: { kind: 'segment', hashLow: 0, hashHigh: 0 } }
    return i === 25 ? { ...quiet(i), src: 'rtc0', payload: { kind: 'line', wire: 0, level: 1 } } : quiet(i)
  })
  const directory = join(t.testdir(), 'a.ank')
  await write(directory, messages, true)
  const recording = Recording.open(directory)
  for (const number of [0, 1, 3]) fs.rmSync(segmentPath(directory, number))
  t.strictSame([...recording.entriesOfNode('rtc0')], [{ index: 25, message: messages[25] }])
  t.equal(recording.findByIcount(25), 25)
  t.throws(() => recording.entry(3), { constructor: DamagedError, message: /000000.segment.*missing/ })
})

t.test('files of two recordings of one run are the same bytes, wherever frames were cut', async (t) => {
  const messages = sampleEntries(new Random(3), 500, 120)
  const root = t.testdir()
  const [a, b] = [join(root, 'a.ank'), join(root, 'b.ank')]
  await write(a, messages, true, 1)
  await write(b, messages, true)
  const bytes = (directory: string) => allFiles(directory).map((path) => fs.readFileSync(path).toString('hex'))
  t.strictSame(bytes(a), bytes(b))
})

t.test('every byte of a recording, flipped, is found or was no more needed', { timeout: 60_000 }, async (t) => {
  const messages = sampleEntries(new Random(4), 24, 10)
  const root = t.testdir()
  for (const closed of [true, false]) {
    const directory = join(root, closed ? 'closed.ank' : 'open.ank')
    await write(directory, messages, closed, 2)
    const files = allFiles(directory)
    t.match(
      files.map((path) => path.slice(directory.length + 1)).filter((path) => path.startsWith('journal')),
      ['journal/000000.segment', 'journal/000001.segment', closed ? 'journal/000002.segment' : 'journal/000002.tail'],
    )
    for (const path of files) {
      const bytes = fs.readFileSync(path)
      for (let at = 0; at < bytes.length; at++) {
        const flipped = Buffer.from(bytes)
        flipped[at]! ^= 1 << (at & 7)
        fs.writeFileSync(path, flipped)
        const problem = foundIn(directory)
        if (problem !== path) t.fail(`byte ${at} of ${path}: found ${problem}`)
      }
      fs.writeFileSync(path, bytes)
      t.equal(foundIn(directory), undefined, `${path.slice(root.length + 1)} restored`)
    }
  }
})

/** The file that opening, or reading everything, says is damaged or ends too early. */
function foundIn(directory: string): string | undefined {
  try {
    const recording = Recording.open(directory)
    const [first] = recording.verify()
    if (first !== undefined) return first.path
    return recording.truncated?.what === 'the recording has no end' ? undefined : recording.truncated?.path
  } catch (error) {
    if (error instanceof StoreError) return error.path
    throw error
  }
}

t.test('a cut or incomplete recording', async (t) => {
  const messages = sampleEntries(new Random(4), 35, 10)
  const root = t.testdir()
  const damaged = async (closed: boolean, harm: (directory: string) => void | Promise<void>, message: RegExp) => {
    const directory = join(root, 'a.ank')
    await write(directory, messages, closed)
    await harm(directory)
    const error = t.throws(() => {
      const [first] = Recording.open(directory).verify()
      if (first !== undefined) throw first
    })
    t.match(error, { constructor: DamagedError, message })
    fs.rmSync(directory, { recursive: true })
  }
  const removed = (name: string) => (directory: string) => fs.rmSync(join(directory, name), { recursive: true })
  await damaged(true, removed('journal/000001.segment'), /000001.segment.*missing/)
  await damaged(false, removed('journal/000001.segment'), /000001.segment.*missing/)
  await damaged(false, removed('journal/000002.segment'), /000002.segment.*missing/)
  await damaged(true, removed('journal/000003.segment'), /should have 35 entries and has 30/)
  await damaged(true, removed('journal'), /journal.*the directory is missing/)
  await damaged(true, removed('images'), /the image kernel: the file is missing/)
  await damaged(true, (directory) => fs.truncateSync(segmentPath(directory, 1), 100), /000001.segment/)
  await damaged(
    true,
    (directory) => fs.copyFileSync(segmentPath(directory, 1), segmentPath(directory, 0)),
    /that of segment 1/,
  )
  await damaged(
    true,
    async (directory) => {
      const other = join(root, 'other.ank')
      await write(other, sampleEntries(new Random(4), 35, 10).map(nextValue), true)
      fs.copyFileSync(segmentPath(other, 1), segmentPath(directory, 1))
      fs.rmSync(other, { recursive: true })
    },
    /its identity is not the one in the manifest/,
  )
})

t.test('an image that is damaged, read aside', async (t) => {
  const directory = join(t.testdir(), 'a.ank')
  await write(directory, [], true)
  const { sha256: hash } = Recording.open(directory).manifest.images[1]!
  const path = join(directory, 'images', hash)
  const bytes = fs.readFileSync(path)
  const load = () => Recording.open(directory).readImageAside('initrd')()
  await load()
  bytes[0]! ^= 1
  fs.writeFileSync(path, bytes)
  await t.rejects(load(), { constructor: DamagedError, message: /the image initrd: its SHA-256 does not match/ })
  fs.appendFileSync(path, 'x')
  const wrongSize = new RegExp(`it should have ${bytes.length} bytes and has ${bytes.length + 1}`)
  await t.rejects(load(), { constructor: DamagedError, message: wrongSize })
  fs.rmSync(path)
  await t.rejects(load(), { constructor: DamagedError, message: /the image initrd: the file is missing/ })
})

/** The same journal but for the payload of its `segment` entries. */
function nextValue(message: Message): Message {
  if (message.payload.kind !== 'segment') return message
  return { ...message, payload: { ...message.payload, hashLow: 77 } }
}

t.test('what is no recording', async (t) => {
  const directory = t.testdir({ 'file.txt': 'x', other: { 'manifest.json': '{"name":"x"}' }, empty: {} })
  for (const name of ['nothing', 'file.txt', 'empty', 'other']) {
    const error = t.throws(() => Recording.open(join(directory, name)))
    t.match(error, {
      constructor: NotARecordingError,
      message: new RegExp(`${name} (is not a recording|does not exist)`),
    })
  }
})

t.test('a recording does not go over what is there', async (t) => {
  const directory = t.testdir({ file: 'x', used: { file: 'x' }, empty: {} })
  for (const name of ['file', 'used']) {
    t.throws(() => RecordingWriter.create(join(directory, name), sampleManifest(), []), RecordingExistsError)
  }
  await RecordingWriter.create(join(directory, 'empty'), sampleManifest(), []).abandon()
  t.equal(Recording.open(join(directory, 'empty')).entryCount, 0)
})
