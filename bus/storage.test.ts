import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import t from 'tap'
import { SLAB_BLOCKS, type SpillFile } from './block-store.ts'
import { Clock } from './clock.ts'
import { MachineContents } from './contents.ts'
import { BoardError, PAGE_BYTES } from './layout.ts'
import { LocalBus } from './local-bus.ts'
import type { Message } from './message.ts'
import { type BlockSnapshot, type HashBlock, Storage, type StorageImage } from './storage.ts'
import { AT, DISK_BYTES, diskBoard, type Program, ScriptedCpu, scriptedCpu, TEST_LOADS } from './testing.ts'

/** Bytes that tell where they are. */
const patterned = (bytes: number, by = 1) => Uint8Array.from({ length: bytes }, (_, i) => (by * i + (i >> 8)) % 251)

/** An image that counts what is read of it. */
class CountingImage implements StorageImage {
  readonly #bytes: Uint8Array
  readonly reads: [offset: number, length: number][] = []

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get bytes(): number {
    return this.#bytes.length
  }

  read(offset: number, into: Uint8Array): void {
    this.reads.push([offset, into.length])
    into.set(this.#bytes.subarray(offset, offset + into.length))
  }
}

const hashBlock: HashBlock = (bytes, number) =>
  createHash('sha256').update(bytes).update(String(number)).digest().readBigUInt64LE()

/** Bytes of a storage. */
function readOf(storage: Storage, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(0xee)
  storage.read(offset, bytes)
  return bytes
}

/** A host's file that counts, and may be full. */
class MemoryFile implements SpillFile {
  bytes = new Uint8Array(0)
  writes = 0
  isFull = false

  write(offset: number, bytes: Uint8Array): void {
    if (this.isFull) throw new Error('/spill: the disk is full')
    this.writes++
    const grown = new Uint8Array(Math.max(this.bytes.length, offset + bytes.length))
    grown.set(this.bytes)
    grown.set(bytes, offset)
    this.bytes = grown
  }

  read(offset: number, into: Uint8Array): void {
    assert(offset + into.length <= this.bytes.length)
    into.set(this.bytes.subarray(offset, offset + into.length))
  }
}

const newStorage = (name: string, bytes: number) => new Storage(name, bytes, hashBlock)

t.test('what is read is the image, what was written over it, and zeros', async (t) => {
  const bytes = 5 * PAGE_BYTES + 512
  const image = patterned(3 * PAGE_BYTES + 100)
  const storage = newStorage('disk', bytes)
  storage.image = new CountingImage(image)
  const model = new Uint8Array(bytes)
  model.set(image)
  let seed = 12345
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  for (let round = 0; round < 2000; round++) {
    const offset = random(bytes + 1)
    const length = random(Math.min(bytes - offset, 3 * PAGE_BYTES) + 1)
    if (random(3) === 0) {
      const written = patterned(length, round)
      storage.write(offset, written)
      model.set(written, offset)
    } else if (Buffer.compare(readOf(storage, offset, length), model.subarray(offset, offset + length)) !== 0) {
      t.fail(`round ${round}: ${length} bytes at ${offset} differ`)
    }
  }
  t.same(readOf(storage, 0, bytes), model)
  t.same(image, patterned(3 * PAGE_BYTES + 100), 'the image is as it was')
  for (const [offset, length] of [
    [bytes, 1],
    [-1, 1],
    [0.5, 1],
    [bytes - 1, 2],
  ] as const) {
    t.throws(() => readOf(storage, offset, length), /are not within disk/)
    t.throws(() => storage.write(offset, new Uint8Array(length)), /are not within disk/)
  }
  t.throws(() => storage.putBlock(6, new Uint8Array(PAGE_BYTES)), /disk has no block 6/)
})

t.test('only what is not written is asked of the image', async (t) => {
  const storage = newStorage('disk', 4 * PAGE_BYTES)
  const image = new CountingImage(patterned(4 * PAGE_BYTES))
  storage.image = image
  storage.write(PAGE_BYTES, patterned(PAGE_BYTES, 3))
  t.same(image.reads, [], 'a whole block')
  readOf(storage, 0, 4 * PAGE_BYTES)
  t.same(image.reads, [
    [0, PAGE_BYTES],
    [2 * PAGE_BYTES, 2 * PAGE_BYTES],
  ])
  readOf(storage, PAGE_BYTES + 5, 100)
  t.equal(image.reads.length, 2)
})

t.test('the hash is of what was written, whenever and in what order', async (t) => {
  const [one, other] = [newStorage('disk', 8 * PAGE_BYTES), newStorage('disk', 8 * PAGE_BYTES)]
  t.equal(one.hash(), 0n)
  one.write(0, patterned(PAGE_BYTES))
  const first = one.hash()
  t.not(first, 0n)
  one.write(5 * PAGE_BYTES, patterned(100))
  one.write(0, patterned(PAGE_BYTES, 7))
  other.write(0, patterned(PAGE_BYTES, 7))
  t.not(one.hash(), other.hash())
  other.write(5 * PAGE_BYTES, patterned(100))
  t.equal(one.hash(), other.hash())
  one.write(0, patterned(PAGE_BYTES))
  one.write(5 * PAGE_BYTES, patterned(100, 2))
  t.not(one.hash(), first)
  const elsewhere = newStorage('disk', 8 * PAGE_BYTES)
  elsewhere.write(PAGE_BYTES, patterned(PAGE_BYTES))
  t.not(elsewhere.hash(), first, 'where it is counts')
})

t.test('a machine holds memory and disks as pages', async (t) => {
  const make = () => {
    const cpu = new ScriptedCpu({}, new Clock(10, 1000, 1000), 4 * PAGE_BYTES)
    const storages = [newStorage('a', 2 * PAGE_BYTES + 1), newStorage('b', PAGE_BYTES)]
    return { cpu, storages, contents: new MachineContents(cpu, 4 * PAGE_BYTES, storages) }
  }
  const { cpu, storages, contents } = make()
  const [a, b] = storages as [Storage, Storage]
  cpu.writeBacking(PAGE_BYTES, Uint8Array.of(1))
  a.write(2 * PAGE_BYTES, Uint8Array.of(2))
  b.write(0, Uint8Array.of(3))
  t.equal(contents.writtenPages, 3)
  const snapshot = contents.snapshot()
  t.equal(contents.writtenPages, 0)
  a.write(2 * PAGE_BYTES, Uint8Array.of(4))
  t.equal(contents.writtenPages, 1)
  const pages: [number, number][] = []
  const copy = make()
  for (let batch = snapshot.next(); batch !== undefined; batch = snapshot.next()) {
    for (const [i, page] of batch.pages.entries()) {
      pages.push([page, batch.bytes[PAGE_BYTES * i]!])
      copy.contents.writePage(page, batch.bytes.subarray(PAGE_BYTES * i, PAGE_BYTES * (i + 1)))
    }
  }
  snapshot.close()
  t.same(pages, [
    [1, 1],
    [6, 2],
    [7, 3],
  ])
  t.notSame(contents.hash(), copy.contents.hash())
  copy.storages[0]!.write(2 * PAGE_BYTES, Uint8Array.of(4))
  t.same(contents.hash(), copy.contents.hash())
  const digest = (of: MachineContents) => {
    const fed: Uint8Array[] = []
    of.digest((bytes) => fed.push(Uint8Array.from(bytes)), 'whole')
    return Buffer.concat(fed)
  }
  t.ok(digest(contents).equals(digest(copy.contents)))
  copy.storages[1]!.write(7, Uint8Array.of(1))
  t.notOk(digest(contents).equals(digest(copy.contents)))
  t.throws(() => contents.writePage(8, new Uint8Array(PAGE_BYTES)), /b has no block 1/)
})

t.test('what the host keeps in a file changes nothing', async (t) => {
  const seed = Number(process.env['STORAGE_SEED'] ?? Date.now() % 1e6)
  t.comment(`STORAGE_SEED=${seed}`)
  let state = seed >>> 0
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  const blocks = 5 * SLAB_BLOCKS
  const bytes = blocks * PAGE_BYTES - 512
  const image = patterned(3 * PAGE_BYTES * SLAB_BLOCKS + 100, 7)
  const file = new MemoryFile()
  const small = new Storage('disk', bytes, hashBlock, {
    memoryBytes: 2 * SLAB_BLOCKS * PAGE_BYTES,
    openFile: () => file,
  })
  const large = newStorage('disk', bytes)
  const model = new Uint8Array(bytes)
  model.set(image)
  for (const storage of [small, large]) storage.image = new CountingImage(image)
  let snapshot: { expected: Uint8Array; taken: BlockSnapshot } | undefined
  for (let round = 0; round < 6000; round++) {
    const length = random(4) === 0 ? random(3 * PAGE_BYTES) : PAGE_BYTES
    const offset = random(4) === 0 ? random(bytes - length) : PAGE_BYTES * random(blocks - 3)
    const what = random(500)
    if (what === 0) t.equal(small.hash(), large.hash(), `hash in round ${round}`)
    else if (what === 1 && snapshot === undefined) {
      t.equal(small.writtenBlocks, large.writtenBlocks)
      large.snapshot().close()
      snapshot = { expected: model.slice(), taken: small.snapshot() }
    } else if (what === 2 && snapshot !== undefined) {
      const { numbers, bytes: taken } = snapshot.taken.next(1 + random(400))
      for (const [i, number] of numbers.entries()) {
        const whole = new Uint8Array(PAGE_BYTES)
        whole.set(snapshot.expected.subarray(PAGE_BYTES * number, PAGE_BYTES * (number + 1)))
        if (Buffer.compare(whole, taken.subarray(PAGE_BYTES * i, PAGE_BYTES * (i + 1))) === 0) continue
        t.fail(`round ${round}: block ${number} is not as it was`)
      }
      if (numbers.length === 0 || random(4) === 0) {
        snapshot.taken.close()
        snapshot = undefined
      }
    } else if (what < 350) {
      const written = patterned(length, round)
      for (const storage of [small, large]) storage.write(offset, written)
      model.set(written, offset)
    } else if (Buffer.compare(readOf(small, offset, length), model.subarray(offset, offset + length)) !== 0) {
      t.fail(`round ${round}: ${length} bytes at ${offset} differ`)
    }
  }
  t.equal(Buffer.compare(readOf(small, 0, bytes), model), 0)
  t.equal(small.hash(), large.hash())
  const digest = (storage: Storage) => {
    const all = createHash('sha256')
    storage.digest((part) => all.update(part))
    return all.digest('hex')
  }
  t.equal(digest(small), digest(large))
  t.ok(file.writes > 0 && large.spilledBlocks === 0)
  t.ok(small.spilledBlocks <= blocks, 'a slot of the file is used again')
})

t.test('a host whose disk is full says so, and what was written stays', async (t) => {
  const file = new MemoryFile()
  const most = 2 * SLAB_BLOCKS
  const overlay = { memoryBytes: SLAB_BLOCKS * PAGE_BYTES, openFile: () => file }
  const storage = new Storage('disk', 4 * most * PAGE_BYTES, hashBlock, overlay)
  for (let block = 0; block < most; block++) storage.write(block * PAGE_BYTES, patterned(PAGE_BYTES, block + 1))
  file.isFull = true
  t.throws(() => storage.write(most * PAGE_BYTES, patterned(PAGE_BYTES)), /\/spill: the disk is full/)
  t.same(readOf(storage, 5 * PAGE_BYTES, PAGE_BYTES), patterned(PAGE_BYTES, 6))
  t.same(readOf(storage, (most - 1) * PAGE_BYTES, PAGE_BYTES), patterned(PAGE_BYTES, most))
})

const PROGRAM: Program = {
  1: { op: 'write', address: AT.disk, value: 0x1000 },
  2: { op: 'write', address: AT.disk + 4, value: 0x300 },
  3: { op: 'write', address: AT.disk + 8, value: 16 },
  4: { op: 'read', address: AT.disk },
  5: { op: 'write', address: AT.disk, value: 0x1004 },
  6: { op: 'write', address: AT.disk + 12, value: 8 },
  7: { op: 'read', address: AT.disk },
}

t.test('a device copies between its disk and memory, and the log has no bytes of it', async (t) => {
  const image = new CountingImage(patterned(DISK_BYTES))
  const log: Message[] = []
  const bus = new LocalBus({
    board: diskBoard(),
    createCpu: scriptedCpu(PROGRAM),
    loads: [...TEST_LOADS, { storage: 'disk.disk', image }],
    sink: { append: (message) => log.push(message) },
    sources: [],
  })
  bus.runSlice({ until: [{ icount: 20, vt: 0 }] })
  const { cpu } = bus.machine
  t.same(cpu.readBacking(0x300, 16), patterned(DISK_BYTES).slice(0x1000, 0x1010))
  const copies = log
    .filter(({ payload }) => payload.kind === 'dmaCopy')
    .map(({ src, dst, payload }) => [src, dst, payload])
  t.same(copies, [
    ['disk', 'cpu', { kind: 'dmaCopy', from: 1, to: -1, fromAddress: 0x1000, toAddress: 0x300, length: 16 }],
    ['disk', 'cpu', { kind: 'dmaCopy', from: -1, to: 1, fromAddress: 0x300, toAddress: 0x1004, length: 8 }],
  ])
  const sumOf = (bytes: Uint8Array) => bytes.reduce((sum, byte) => sum + byte, 0)
  const whole = patterned(DISK_BYTES)
  const before = sumOf(whole.subarray(0x1000, 0x1000 + 100))
  whole.set(whole.slice(0x1000, 0x1008), 0x1004)
  const after = sumOf(whole.subarray(0x1004, 0x1004 + 100))
  const answers = log.flatMap(({ src, payload }) => (src === 'disk' && payload.kind === 'data' ? [payload.value] : []))
  t.same(answers, [before, after])
  t.notSame(bus.machine.contents.hash(), cpu.hashMemory())
  t.equal(
    image.reads.every(([, length]) => length <= PAGE_BYTES),
    true,
  )
})

t.test('images that have no place', async (t) => {
  const make = (storage: string, bytes: number) =>
    new LocalBus({
      board: diskBoard(),
      createCpu: scriptedCpu({}),
      loads: [{ storage, image: new CountingImage(new Uint8Array(bytes)) }],
      sink: { append: () => {} },
      sources: [],
    })
  t.throws(() => make('disk.disc', 1), { constructor: BoardError, message: /there is no storage disk\.disc/ })
  t.throws(() => make('disk.disk', DISK_BYTES + 1), { constructor: BoardError, message: /20993 bytes does not fit/ })
  t.equal(make('disk.disk', 5).runSlice({ until: [{ icount: 1, vt: 0 }] }).state, 'until')
  const board = diskBoard()
  const seen = { region: 'disk.disk', space: 'memory', base: 0xb0000, mode: 'ram' } as const
  const placements = [...board.placements, seen]
  const options = { createCpu: scriptedCpu({}), loads: [], sink: { append: () => {} }, sources: [] }
  t.throws(() => new LocalBus({ board: { ...board, placements }, ...options }), /is not to be seen by the CPU/)
})
