/** What a recording is worth after its recorder died, or its disk was full, at any moment. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Message } from '../bus/mod.ts'
import { NotARecordingError, RecordingExistsError, WriteError } from './errors.ts'
import { hostFiles, type StoreFiles } from './files.ts'
import { JournalHasher } from './identity.ts'
import { segmentPath, tailPath } from './layout.ts'
import { Recording } from './recording.ts'
import { type Image, RecordingWriter, type WriterOptions } from './recording-writer.ts'
import { Random, randomMessages, recorderMessages, sampleManifest } from './sample.ts'
import { FRAME_HEADER_BYTES } from './tail.ts'

const IMAGES: readonly Image[] = [{ name: 'kernel', bytes: new Uint8Array(300).fill(9) }]
const END = { reason: 'quit' as const, instructions: 10, vt: 80, digest: '0'.repeat(64), deviceStates: {} }

const SEED = 31
const messages = randomMessages(60, new Random(SEED)).map(
  (message, i): Message =>
    i % 20 === 19 ? { ...message, payload: { kind: 'segment', hashLow: 1, hashHigh: 2 } } : message,
)

/** What a run had been promised when it broke off. */
interface Promised {
  durableEntries: number
  closed: boolean
  failure: unknown
}

/** How a recording is started, and after how many entries its images are waited for. */
interface Start {
  make: (typeof RecordingWriter)['create']
  readyAfter: number
}
const CREATE: Start = { make: RecordingWriter.create, readyAfter: 0 }

/** Records `messages`, flushing after every third, until done or until a file function throws. */
async function record(directory: string, options: WriterOptions, { make, readyAfter } = CREATE): Promise<Promised> {
  const promised: Promised = { durableEntries: 0, closed: false, failure: undefined }
  try {
    const writer = make(directory, sampleManifest(), IMAGES, options)
    for (const [i, message] of messages.entries()) {
      if (i === readyAfter) await writer.ready
      writer.append(message)
      if (i % 3 !== 2) continue
      await writer.flush()
      if (writer.isReady) promised.durableEntries = i + 1
    }
    await writer.ready
    await writer.close(END)
    promised.closed = true
  } catch (error) {
    promised.failure = error
  }
  return promised
}

/** The host's file functions until call number `lastCall`, which does part of its work; all later ones fail. */
function failingFiles(lastCall: number, code: string): { files: StoreFiles; calls: () => number } {
  let calls = 0
  const step = () => {
    calls++
    if (calls >= lastCall) throw Object.assign(new Error(`${code}: injected`), { code })
  }
  const wrapped =
    <A extends unknown[], R>(work: (...args: A) => R) =>
    (...args: A): R => {
      step()
      return work(...args)
    }
  const write = (file: number, bytes: Uint8Array): number => {
    // Half is written before the failure, and before that a short write now and then.
    if (calls + 1 === lastCall) hostFiles.write(file, bytes.subarray(0, bytes.length >> 1))
    step()
    return hostFiles.write(file, calls % 2 === 0 ? bytes : bytes.subarray(0, Math.ceil(bytes.length / 2)))
  }
  const files: StoreFiles = {
    makeDirectory: wrapped(hostFiles.makeDirectory),
    create: wrapped(hostFiles.create),
    replace: wrapped(hostFiles.replace),
    write,
    writeAside: async (file, bytes) => {
      await sleep(1)
      return write(file, bytes)
    },
    sync: wrapped(hostFiles.sync),
    close: hostFiles.close,
    rename: wrapped(hostFiles.rename),
    remove: wrapped(hostFiles.remove),
  }
  return { files, calls: () => calls }
}

/** Checks that what is in `directory` keeps `promised`; returns the recording if there is one. */
function checkPromise(t: Test, directory: string, promised: Promised): Recording | undefined {
  let recording: Recording
  try {
    recording = Recording.open(directory)
  } catch (error) {
    t.ok(error instanceof NotARecordingError, `${error}`)
    t.equal(promised.durableEntries, 0, 'nothing was promised yet')
    return undefined
  }
  t.ok(recording.entryCount >= promised.durableEntries, `${recording.entryCount} of ${promised.durableEntries}`)
  t.strictSame([...recording.entries()], messages.slice(0, recording.entryCount))
  t.strictSame(recording.verify(), [])
  if (promised.closed) t.equal(recording.truncated, undefined)
  return recording
}

const STARTS: Readonly<Record<string, Start>> = {
  'images first': CREATE,
  'images waited for': { make: RecordingWriter.begin, readyAfter: 0 },
  'images after a segment': { make: RecordingWriter.begin, readyAfter: 25 },
  'images last': { make: RecordingWriter.begin, readyAfter: messages.length },
}

for (const [name, start] of Object.entries(STARTS)) {
  for (const fsync of [false, true]) {
    t.test(`a crash at any file operation keeps what was flushed, ${name}, fsync ${fsync}`, async (t) => {
      const root = t.testdir()
      const counting = failingFiles(Number.POSITIVE_INFINITY, '')
      t.ok((await record(join(root, 'whole.ank'), { fsync, files: counting.files }, start)).closed)
      t.ok(counting.calls() > 60)
      for (let lastCall = 1; lastCall <= counting.calls(); lastCall++) {
        const directory = join(root, `${lastCall}.ank`)
        const promised = await record(directory, { fsync, files: failingFiles(lastCall, 'EIO').files }, start)
        t.notOk(promised.closed)
        const recording = checkPromise(t, directory, promised)
        if (recording !== undefined && recording.truncated === undefined) t.equal(recording.entryCount, messages.length)
      }
    })
  }
}

t.test('a full disk is a WriteError that names the file, and stays one', async (t) => {
  const root = t.testdir()
  for (const lastCall of [3, 9, 20, 45]) {
    const directory = join(root, `${lastCall}.ank`)
    const promised = await record(directory, { files: failingFiles(lastCall, 'ENOSPC').files })
    const error = promised.failure
    assert(error instanceof WriteError)
    t.match(error.message, /the disk is full. Free some space, or record to another disk/)
    t.ok(error.path.startsWith(directory) && error.message.startsWith(error.path), error.message)
    checkPromise(t, directory, promised)
  }
  const writer = RecordingWriter.create(join(root, 'a.ank'), sampleManifest(), IMAGES, {
    files: { ...hostFiles, write: (file, bytes) => (bytes.length > 1000 ? 0 : hostFiles.write(file, bytes)) },
  })
  writer.append({ vt: 0, icount: 0, src: 'cpu', dst: 'bus', payload: { kind: 'event' } })
  writer.append({
    vt: 0,
    icount: 0,
    src: 'world',
    dst: 'uart0',
    payload: { kind: 'input', bytes: new Uint8Array(2000) },
  })
  const first = await t.rejects(writer.flush(), { constructor: WriteError, message: /the disk is full/ })
  for (const again of [() => writer.flush(), () => writer.append(messages[0]!), () => writer.close(END)]) {
    try {
      await again()
      t.fail('a failed writer took more')
    } catch (error) {
      t.equal(error, first)
    }
  }
})

/** Starts a recorder in a process of its own; `lines` are what it prints. */
function startRecorder(directory: string, seed: number, segments: boolean, isThreaded: boolean, limit = '') {
  const script = join(import.meta.dirname, 'sample-recorder.ts')
  const command = [
    process.execPath,
    script,
    directory,
    String(seed),
    segments ? 'segments' : '',
    isThreaded ? 'thread' : '',
  ]
  const child: ChildProcess = spawn('sh', ['-c', `${limit} exec "$@"`, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  assert(child.stdout !== null)
  return { child, lines: createInterface({ input: child.stdout }) }
}

for (const isThreaded of [false, true]) {
  const where = isThreaded ? 'on a thread' : 'at once'
  t.test(`read while it is written, then killed, ${where}`, { timeout: 30_000 }, async (t) => {
    const seed = Date.now() >>> 0
    t.comment(`seed ${seed}`)
    const random = new Random(seed)
    const expected = recorderMessages(new Random(seed), true)
    const directory = join(t.testdir(), 'a.ank')
    const { child, lines } = startRecorder(directory, seed, true, isThreaded)
    let flushed = 0
    lines.on('line', (line) => {
      flushed = Number(line)
    })
    await once(lines, 'line')
    const killAt = 500 + random.below(3000)
    let reads = 0
    let seen = 0
    while (flushed < killAt) {
      const before = flushed
      const recording = Recording.open(directory)
      reads++
      if (recording.entryCount < before || recording.entryCount < seen)
        t.fail(`${recording.entryCount} after ${before}`)
      t.strictSame([...recording.entries(seen)], expected.slice(seen, recording.entryCount))
      seen = recording.entryCount
      await sleep(1)
    }
    child.kill('SIGKILL')
    await once(child, 'close')
    t.comment(`${reads} reads, killed after ${flushed} entries`)
    const recording = Recording.open(directory)
    t.ok(recording.entryCount >= flushed)
    t.match(recording.truncated, { entries: recording.entryCount })
    t.strictSame([...recording.entries()], expected.slice(0, recording.entryCount))
    t.strictSame(recording.verify(), [])
  })

  t.test(`a real limit on what a process may write, ${where}`, { timeout: 30_000 }, async (t) => {
    const directory = join(t.testdir(), 'a.ank')
    // 64 blocks are 32 or 64 KiB, as the shell counts; one segment's tail reaches either.
    const { child, lines } = startRecorder(directory, SEED, false, isThreaded, 'ulimit -f 64;')
    let flushed = 0
    let failure = ''
    for await (const line of lines) {
      failure = line
      if (!/^\d+$/.test(line)) break
      flushed = Number(line)
    }
    child.kill('SIGKILL')
    t.match(failure, /^WriteError: .*000000.tail: cannot write: the file is larger than this process may write. Raise/)
    t.ok(flushed > 100, `${flushed} entries`)
    const recording = Recording.open(directory)
    t.ok(recording.entryCount >= flushed)
    t.strictSame([...recording.entries()], recorderMessages(new Random(SEED), false).slice(0, recording.entryCount))
  })

  t.test(`entries of every size are cut into frames, ${where}`, async (t) => {
    const directory = join(t.testdir(), 'a.ank')
    const writer = RecordingWriter.create(directory, sampleManifest(), IMAGES, { isThreaded })
    const hasher = new JournalHasher(sampleManifest().nodes)
    // The third and the fifth do not fit the frame before them, the fifth and the eighth fit none.
    const outputs = [1, 60_000, 6000, 1, 200_000, 1, 65_400, 65_536, 2].map((length, i): Message => {
      const payload = { kind: 'output' as const, bytes: new Uint8Array(length).fill(i) }
      return { vt: i, icount: i, src: 'uart0', dst: 'world', payload }
    })
    for (const message of outputs) {
      writer.append(message)
      hasher.append(message)
    }
    t.equal(writer.entryCount, outputs.length)
    t.equal(await writer.identity(), hasher.digest())
    await writer.abandon()
    const tail = fs.readFileSync(tailPath(directory, 0))
    const frames: number[] = []
    for (let at = 0; at < tail.length; at += FRAME_HEADER_BYTES + tail.readUInt32LE(at + 16)) {
      frames.push(tail.readUInt32LE(at + 12))
    }
    t.strictSame(frames, [2, 2, 1, 2, 1, 1], 'entries of each frame')
    t.strictSame([...Recording.open(directory).entries()], outputs)
  })
}

t.test('what a crash in a seal leaves behind is not read twice', async (t) => {
  const directory = join(t.testdir(), 'a.ank')
  const files = { ...hostFiles, remove: () => undefined }
  t.ok((await record(directory, { files })).closed)
  t.ok(fs.readdirSync(join(directory, 'journal')).some((name) => name.endsWith('.tail')))
  fs.writeFileSync(`${segmentPath(directory, 3)}.tmp`, 'half a segm')
  t.strictSame([...Recording.open(directory).entries()], messages)
})

/** Every file and directory below `directory`. */
const tree = (directory: string) => fs.readdirSync(directory, { recursive: true }).map(String).sort()

t.test('images written aside: the same files, taken for a recording once they are there', async (t) => {
  const root = t.testdir()
  const [now, aside] = [join(root, 'now.ank'), join(root, 'aside.ank')]
  await RecordingWriter.create(now, sampleManifest(), IMAGES).abandon()
  const writer = RecordingWriter.begin(aside, sampleManifest(), IMAGES)
  t.notOk(writer.isReady)
  t.throws(() => Recording.open(aside), { constructor: NotARecordingError, message: /it has no manifest.json/ })
  for (const end of [() => writer.close(END), () => writer.abandon()]) {
    await t.rejects(end(), /images of the recording are still being written/)
  }
  t.throws(() => RecordingWriter.begin(aside, sampleManifest(), IMAGES), RecordingExistsError)
  await writer.ready
  t.ok(writer.isReady)
  await writer.abandon()
  t.strictSame(tree(aside), tree(now))
  t.strictSame(Recording.open(aside).manifest, Recording.open(now).manifest)
  t.strictSame(Recording.open(aside).verify(), [])
})

t.test('a hash that is known is not made again', async (t) => {
  const directory = join(t.testdir(), 'a.ank')
  const known = '5'.repeat(64)
  const writer = RecordingWriter.create(directory, sampleManifest(), [{ ...IMAGES[0]!, sha256: known }])
  t.equal(writer.manifest.images[0]!.sha256, known)
  await writer.abandon()
  t.equal(Recording.open(directory).verify().length, 1, 'a wrong one is found')
})

const noSpace = () => Object.assign(new Error('no space'), { code: 'ENOSPC' })
const IMAGE_FAULTS: Readonly<Record<string, Partial<StoreFiles>>> = {
  'at the first byte': { writeAside: async () => 0 },
  'in the middle': {
    writeAside: async (file, bytes) => {
      if (bytes.length < 300) throw noSpace()
      return hostFiles.writeAside(file, bytes.subarray(0, 100))
    },
  },
  'at the renaming': {
    rename: (from, to) => {
      if (basename(dirname(to)) === 'images') throw noSpace()
      hostFiles.rename(from, to)
    },
  },
  'at the manifest': {
    rename: (from, to) => {
      if (to.endsWith('manifest.json')) throw noSpace()
      hostFiles.rename(from, to)
    },
  },
}

for (const [where, fault] of Object.entries(IMAGE_FAULTS)) {
  t.test(`a disk that is full ${where} of an image written aside`, async (t) => {
    const directory = join(t.testdir(), 'a.ank')
    const writer = RecordingWriter.begin(directory, sampleManifest(), IMAGES, { files: { ...hostFiles, ...fault } })
    for (const message of messages.slice(0, 25)) writer.append(message)
    const first = await writer.ready.catch((error: unknown) => error)
    assert(first instanceof WriteError)
    t.match(first.message, /the disk is full. Free some space/)
    t.ok(first.message.startsWith(first.path))
    t.match(first.path, where === 'at the manifest' ? /manifest.json$/ : /images.[0-9a-f]{64}$/)
    t.notOk(writer.isReady)
    const later = [() => writer.append(messages[25]!), () => writer.flush(), () => writer.abandon()]
    for (const again of [...later, () => writer.close(END)]) {
      try {
        await again()
        t.fail('a failed writer took more')
      } catch (error) {
        t.equal(error, first)
      }
    }
    t.throws(() => Recording.open(directory), NotARecordingError)
  })
}

t.test('a journal that fails before the images are there is read as far as it was flushed', async (t) => {
  const directory = join(t.testdir(), 'a.ank')
  let isFull = false
  const write: StoreFiles['write'] = (file, bytes) => {
    if (isFull) throw noSpace()
    return hostFiles.write(file, bytes)
  }
  const writer = RecordingWriter.begin(directory, sampleManifest(), IMAGES, { files: { ...hostFiles, write } })
  for (const message of messages.slice(0, 5)) writer.append(message)
  await writer.flush()
  isFull = true
  writer.append(messages[5]!)
  const first = await t.rejects(writer.flush(), /000000.tail: cannot write: the disk is full/)
  isFull = false
  await writer.ready
  await t.rejects(writer.abandon(), first as Error)
  t.strictSame([...Recording.open(directory).entries()], messages.slice(0, 5))
})
