import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { StorageImage } from '../bus/mod.ts'
import { RecordedDrive } from './drive.ts'
import { DriveWriter } from './drive-writer.ts'
import { DamagedError, StoreError } from './errors.ts'
import { hostFiles } from './files.ts'
import { drivePath } from './layout.ts'
import { Recording } from './recording.ts'
import { RecordingWriter } from './recording-writer.ts'
import { Random, randomMessages, sampleManifest } from './sample.ts'

const CHUNK = 64 * 1024
/** Three chunks, of which the second is zeros and the third as if random, and the start of a fourth. */
const BYTES = 3 * CHUNK + 1024
const contents = Buffer.alloc(BYTES, 'abcdefg')
contents.fill(0, CHUNK, 2 * CHUNK)
// What cannot be made smaller.
for (let i = 2 * CHUNK, word = 1; i < 3 * CHUNK; i += 4) {
  word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d) + i
  contents.writeInt32LE(word ^ (word >>> 12), i)
}

class Image implements StorageImage {
  readonly bytes = BYTES
  reads = 0

  read(offset: number, into: Uint8Array): void {
    this.reads++
    into.set(contents.subarray(offset, offset + into.length))
  }
}

/** Bytes of an image. */
function readOf(image: StorageImage, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  image.read(offset, bytes)
  return bytes
}

const part = (from: number, length: number) => contents.subarray(from, from + length)

/** Where heads are in a drive's file. */
function headsOf(file: Buffer): number[] {
  const heads = []
  for (let at = 4; at < file.length; at += 16 + file.readUInt32LE(at + 4)) heads.push(at)
  return heads
}

/** Reads the first, second and fourth chunk, in another order. */
function keep(path: string): void {
  const writer = new DriveWriter(path, 'ide.disk0', new Image(), hostFiles)
  for (const [from, length] of [
    [3 * CHUNK + 512, 512],
    [CHUNK - 512, 1024],
  ] as const) {
    assert(part(from, length).equals(readOf(writer, from, length)))
  }
  writer.close()
}

t.test('what was read is kept, once, and read from there', async (t) => {
  const path = join(t.testdir(), 'drive')
  const image = new Image()
  const writer = new DriveWriter(path, 'ide.disk0', image, hostFiles)
  t.equal(writer.bytes, BYTES)
  t.ok(part(100, 50).equals(readOf(writer, 100, 50)))
  t.equal(image.reads, 1)
  t.ok(part(5000, 50).equals(readOf(writer, 5000, 50)), 'of the same chunk')
  t.equal(image.reads, 1)
  t.ok(part(CHUNK - 10, CHUNK + 20).equals(readOf(writer, CHUNK - 10, CHUNK + 20)))
  t.equal(image.reads, 3)
  t.ok(part(3 * CHUNK, 1024).equals(readOf(writer, 3 * CHUNK, 1024)))
  t.equal(image.reads, 4)
  const { size } = fs.statSync(path)
  t.ok(size > CHUNK && size < CHUNK + 1000, 'zeros take no room, and what repeats little')
  writer.sync()
  writer.close()
  const drive = new RecordedDrive(path, 'ide.disk0', BYTES, false)
  t.ok(contents.equals(readOf(drive, 0, BYTES)))
  t.equal(drive.keptBytes, BYTES)
  drive.verify()
})

t.test('what was not read is not there, and said so', async (t) => {
  const path = join(t.testdir(), 'drive')
  keep(path)
  const drive = new RecordedDrive(path, 'ide.disk0', BYTES, false)
  t.equal(drive.keptBytes, 2 * CHUNK + 1024)
  t.ok(part(0, 2 * CHUNK).equals(readOf(drive, 0, 2 * CHUNK)))
  const message = /drive: byte 131071 of ide\.disk0 was not read when it was recorded/
  t.throws(() => readOf(drive, 2 * CHUNK - 1, 2), { constructor: StoreError, message })
})

t.test('every byte flipped, and every cut, is found and named', async (t) => {
  const path = join(t.testdir(), 'drive')
  keep(path)
  const whole = fs.readFileSync(path)
  const check = (isCut: boolean) => new RecordedDrive(path, 'ide.disk0', BYTES, isCut).verify()
  const heads = headsOf(whole)
  t.equal(heads.length, 3)
  const some = Array.from({ length: 40 }, (_, i) => (i * 1_234_577) % whole.length)
  const near = heads.flatMap((at) => Array.from({ length: 18 }, (_, i) => at + i - 1))
  for (const at of [0, 1, 2, 3, ...near, ...some].filter((place) => place < whole.length)) {
    const flipped = Buffer.from(whole)
    flipped[at]! ^= 1 << (at & 7)
    fs.writeFileSync(path, flipped)
    t.throws(() => check(false), { constructor: DamagedError, path, message: /ide\.disk0/ }, `byte ${at}`)
    fs.writeFileSync(path, whole.subarray(0, at))
    const ends = [...heads, whole.length]
    if (ends.includes(at)) continue
    t.throws(() => check(false), { constructor: DamagedError, path, message: /ide\.disk0/ }, `cut at ${at}`)
    // A recorder that died leaves whole chunks.
    if (at >= 4) t.doesNotThrow(() => check(true), `cut at ${at}, by its death`)
  }
  fs.rmSync(path)
  t.throws(() => check(true), { constructor: DamagedError, message: /the file is missing/ })
})

t.test('a recording has its drives', async (t) => {
  const directory = join(t.testdir(), 'a.ank')
  const sha256 = 'a'.repeat(64)
  const drives = [{ name: 'ide.disk0', image: new Image(), path: '/d.img', sha256 }]
  const writer = RecordingWriter.create(directory, sampleManifest(), [], { drives, fsync: true })
  t.ok(part(10, 20).equals(readOf(writer.drive('ide.disk0'), 10, 20)))
  t.throws(() => writer.drive('ide.disk1'), /no drive ide\.disk1/)
  await writer.flush()
  const open = Recording.open(directory)
  t.same(open.manifest.drives, [{ name: 'ide.disk0', path: '/d.img', bytes: BYTES, sha256 }])
  t.equal(open.drive('ide.disk0').keptBytes, CHUNK, 'while it is written')
  const zeros = '0'.repeat(64)
  await writer.close({ reason: 'quit', instructions: 1, vt: 1, digest: zeros, deviceStates: {} })
  const recording = Recording.open(directory)
  t.same(recording.manifest.drives, open.manifest.drives)
  t.ok(part(0, 99).equals(readOf(recording.drive('ide.disk0'), 0, 99)))
  t.throws(() => recording.drive('ide.disk1'), /has no drive ide\.disk1\. It has: ide\.disk0/)
  t.same(recording.verify(), [])
  const path = drivePath(directory, 'ide.disk0')
  const bytes = fs.readFileSync(path)
  bytes[25]! ^= 1
  fs.writeFileSync(path, bytes)
  t.match(recording.verify(), [{ path, message: /chunk 0 of ide\.disk0: its checksum does not match/ }])
})

/** Larger than a thread takes at once. */
class LargeImage implements StorageImage {
  readonly bytes = 200 * CHUNK
  reads = 0

  read(offset: number, into: Uint8Array): void {
    this.reads++
    for (let i = 0; i < into.length; i++) into[i] = ((offset + i) * 2_654_435_761) >>> 21
  }
}

t.test('a thread keeps what was read before the entries that come after', async (t) => {
  const directory = join(t.testdir(), 'a.ank')
  const image = new LargeImage()
  const drives = [
    { name: 'ide.disk0', image: new Image(), path: '/e.img', sha256: 'b'.repeat(64) },
    { name: 'ide.disk1', image, path: '/d.img', sha256: 'a'.repeat(64) },
  ]
  const writer = RecordingWriter.create(directory, sampleManifest(), [], { drives, isThreaded: true, fsync: true })
  const drive = writer.drive('ide.disk1')
  const expected = readOf(image, 0, image.bytes)
  image.reads = 0
  for (let at = 0; at < image.bytes; at += CHUNK / 4) readOf(drive, at, CHUNK / 4)
  t.equal(image.reads, 200)
  // Some are in memory, others in the file.
  t.ok(Buffer.compare(expected, readOf(drive, 0, image.bytes)) === 0)
  t.equal(image.reads, 200)
  t.ok(part(0, BYTES).equals(readOf(writer.drive('ide.disk0'), 0, BYTES)))
  writer.append(randomMessages(1, new Random(1))[0]!)
  await writer.flush()
  const open = Recording.open(directory)
  t.equal(open.entryCount, 1)
  t.equal(open.drive('ide.disk1').keptBytes, image.bytes, 'with the entry that came after')
  t.ok(Buffer.compare(expected, readOf(open.drive('ide.disk1'), 0, image.bytes)) === 0)
  t.same(open.verify(), [])
  await writer.close({ reason: 'quit', instructions: 1, vt: 1, digest: '0'.repeat(64), deviceStates: {} })
  t.same(Recording.open(directory).verify(), [])
})

t.test('a disk that is full amid a chunk of the thread: no later entry is kept', async (t) => {
  const root = t.testdir()
  const directory = join(root, 'a.ank')
  const program = `
    const store = await import(${JSON.stringify(new URL('./mod.ts', import.meta.url).href)})
    const { sampleManifest, Random, randomMessages } = await import(${JSON.stringify(new URL('./sample.ts', import.meta.url).href)})
    const { randomFillSync } = await import('node:crypto')
    const image = { bytes: 400 * ${CHUNK}, read: (_, into) => randomFillSync(into) }
    const drives = [{ name: 'ide.disk0', image, path: '/d.img', sha256: 'a'.repeat(64) }]
    const writer = store.RecordingWriter.create(${JSON.stringify(directory)}, sampleManifest(), [], { drives, isThreaded: true })
    const [before, after] = randomMessages(2, new Random(1))
    const into = new Uint8Array(${CHUNK})
    writer.drive('ide.disk0').read(0, into)
    writer.append(before)
    await writer.flush()
    try {
      // More than the file may have, and more than may be under way.
      for (let i = 0; i < 400; i++) writer.drive('ide.disk0').read(i * ${CHUNK}, into)
      writer.append(after)
      await writer.flush()
    } catch (error) {
      console.log(error.name, error.message)
    }`
  // In blocks of 512 bytes: 1 MiB and a part of a chunk.
  const shell = `trap '' XFSZ; ulimit -f 2100; exec "$0" "$1"`
  const path = join(root, 'program.mjs')
  fs.writeFileSync(path, program)
  const said = execFileSync('sh', ['-c', shell, process.execPath, path], { encoding: 'utf8' })
  t.match(said, /^WriteError .*drives.ide\.disk0: cannot write: the file is larger than this process may write/)
  const recording = Recording.open(directory)
  t.equal(recording.entryCount, 1)
  t.ok(recording.truncated !== undefined)
  const drive = recording.drive('ide.disk0')
  t.ok(drive.keptBytes >= 15 * CHUNK && drive.keptBytes < 17 * CHUNK)
  t.same(recording.verify(), [])
})

t.test('killed at any moment, a recording has the chunks that its entries depend on', async (t) => {
  const root = t.testdir()
  const directory = join(root, 'a.ank')
  const program = `
    const { RecordingWriter } = await import(${JSON.stringify(new URL('./mod.ts', import.meta.url).href)})
    const { sampleManifest } = await import(${JSON.stringify(new URL('./sample.ts', import.meta.url).href)})
    const { randomFillSync } = await import('node:crypto')
    const image = { bytes: 20_000 * ${CHUNK}, read: (_, into) => randomFillSync(into) }
    const drives = [{ name: 'ide.disk0', image, path: '/d.img', sha256: 'a'.repeat(64) }]
    const writer = RecordingWriter.create(${JSON.stringify(directory)}, sampleManifest(), [], { drives, isThreaded: true })
    const into = new Uint8Array(1)
    console.log('begun')
    for (let i = 0; i < 20_000; i++) {
      writer.drive('ide.disk0').read(i * ${CHUNK}, into)
      writer.append({ vt: i, icount: i, src: 'uart0', dst: 'bus', payload: { kind: 'timer', due: i } })
      if (i % 7 === 0) void writer.flush()
      if (i % 100 === 0) await writer.flush()
    }`
  const path = join(root, 'program.mjs')
  fs.writeFileSync(path, program)
  const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const check = () => {
    const recording = Recording.open(directory)
    const { entryCount } = recording
    const { keptBytes } = recording.drive('ide.disk0')
    t.ok(keptBytes >= entryCount * CHUNK, `${entryCount} entries, ${keptBytes / CHUNK} chunks`)
    return recording
  }
  for (let seen = 0, tries = 0; seen < 500 && tries < 300; tries++) {
    seen = check().entryCount
    await sleep(10)
  }
  child.kill('SIGKILL')
  await once(child, 'close')
  const recording = check()
  t.ok(recording.entryCount > 0)
  t.same(recording.verify(), [])
})

t.test('a disk that is full: the read fails, and what was kept before stays', async (t) => {
  const directory = join(t.testdir(), 'a.ank')
  let isFull = false
  const files = {
    ...hostFiles,
    write: (file: number, bytes: Uint8Array) => {
      if (!isFull) return hostFiles.write(file, bytes)
      if (bytes.length > 100) return hostFiles.write(file, bytes.subarray(0, 100))
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    },
  }
  const drives = [{ name: 'ide.disk0', image: new Image(), path: '/d.img', sha256: 'a'.repeat(64) }]
  const writer = RecordingWriter.create(directory, sampleManifest(), [], { drives, files })
  readOf(writer.drive('ide.disk0'), 0, 1)
  isFull = true
  const path = drivePath(directory, 'ide.disk0')
  t.throws(() => readOf(writer.drive('ide.disk0'), 3 * CHUNK, 1024), {
    name: 'WriteError',
    path,
    message: /the disk is full/,
  })
  const recording = Recording.open(directory)
  t.ok(part(0, 99).equals(readOf(recording.drive('ide.disk0'), 0, 99)))
  t.same(recording.verify(), [])
})
