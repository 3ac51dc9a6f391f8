import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { StorageImage } from '../bus/mod.ts'
import { DriveWriter, RecordedDrive } from './drive.ts'
import { DamagedError, StoreError } from './errors.ts'
import { hostFiles } from './files.ts'
import { drivePath } from './layout.ts'
import { Recording } from './recording.ts'
import { RecordingWriter } from './recording-writer.ts'
import { sampleManifest } from './sample.ts'

const CHUNK = 64 * 1024
/** Three chunks, of which the second is zeros, and the start of a fourth. */
const BYTES = 3 * CHUNK + 1024
const contents = Buffer.alloc(BYTES, 'abcdefg')
contents.fill(0, CHUNK, 2 * CHUNK)

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

/** Reads the first, second and fourth chunk, in another order. */
function keep(path: string): void {
  const writer = new DriveWriter(path, new Image(), hostFiles)
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
  const writer = new DriveWriter(path, image, hostFiles)
  t.equal(writer.bytes, BYTES)
  t.ok(part(100, 50).equals(readOf(writer, 100, 50)))
  t.equal(image.reads, 1)
  t.ok(part(5000, 50).equals(readOf(writer, 5000, 50)), 'of the same chunk')
  t.equal(image.reads, 1)
  t.ok(part(CHUNK - 10, CHUNK + 20).equals(readOf(writer, CHUNK - 10, CHUNK + 20)))
  t.equal(image.reads, 3)
  t.ok(part(3 * CHUNK, 1024).equals(readOf(writer, 3 * CHUNK, 1024)))
  t.ok(fs.statSync(path).size < 2.1 * CHUNK, 'zeros take no room')
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
  const heads = [4, 4 + 12 + 1024, 4 + 12 + 1024 + 12 + CHUNK]
  const some = Array.from({ length: 40 }, (_, i) => (i * 1_234_577) % whole.length)
  const near = heads.flatMap((at) => Array.from({ length: 14 }, (_, i) => at + i - 1))
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
  bytes[1000]! ^= 1
  fs.writeFileSync(path, bytes)
  t.match(recording.verify(), [{ path, message: /chunk 0 of ide\.disk0: its checksum does not match/ }])
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
