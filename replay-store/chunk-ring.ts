/**
 * Chunks of drives on their way to the thread that writes them: memory that both threads see, in a ring.
 *
 *     done i32 | failed i32 | for each place: where its chunk is in the drive's file f64 | stored bytes f64 | CRC-32 f64 | the chunks
 *
 * The thread takes them in their order, says for each where it is, and counts it as done. A place is used again when it is done,
 * and the chunk that was there is known by where it is in its file. When all places are taken, whoever has another chunk waits.
 */
import { CHUNK_BYTES, type StoredChunk } from './drive.ts'
import type { ChunkKeeper } from './drive-writer.ts'
import { WriteError } from './errors.ts'

/** Four MiB. */
const PLACES = 64
const DONE = 0
const FAILED = 1
const STATE_BYTES = 8
const RESULT_DOUBLES = 3
const CHUNKS_AT = STATE_BYTES + PLACES * RESULT_DOUBLES * Float64Array.BYTES_PER_ELEMENT
/** A thread that gets nothing done for so long is taken for dead, in milliseconds: a disk is slow, but not for ever. */
const STALLED_MS = 300_000

/** A chunk, as the thread is told of it. */
export interface SentChunk {
  /** Of the ring's drives. */
  drive: number
  number: number
  place: number
  bytes: number
}

/** What of the ring both threads have. */
class SharedRing {
  readonly buffer: SharedArrayBuffer
  readonly state: Int32Array
  readonly results: Float64Array

  constructor(buffer = new SharedArrayBuffer(CHUNKS_AT + PLACES * CHUNK_BYTES)) {
    this.buffer = buffer
    this.state = new Int32Array(buffer, 0, STATE_BYTES / Int32Array.BYTES_PER_ELEMENT)
    this.results = new Float64Array(buffer, STATE_BYTES, PLACES * RESULT_DOUBLES)
  }

  chunk(place: number, bytes = CHUNK_BYTES): Uint8Array {
    return new Uint8Array(this.buffer, CHUNKS_AT + place * CHUNK_BYTES, bytes)
  }
}

/** The end of those that write: what they do with it is done with, place by place. */
export class ChunkTaker {
  readonly #ring: SharedRing

  constructor(buffer: SharedArrayBuffer) {
    this.#ring = new SharedRing(buffer)
  }

  /** Has the next one written. */
  take({ place, bytes, number }: SentChunk, write: (number: number, chunk: Uint8Array) => StoredChunk): void {
    const stored = write(number, this.#ring.chunk(place, bytes))
    this.#ring.results.set([stored.at, stored.bytes, stored.checksum], RESULT_DOUBLES * place)
    Atomics.add(this.#ring.state, DONE, 1)
    Atomics.notify(this.#ring.state, DONE)
  }

  /** No more are taken: nobody is to wait. */
  fail(): void {
    Atomics.store(this.#ring.state, FAILED, 1)
    // Else it might begin to wait just after it has looked.
    Atomics.add(this.#ring.state, DONE, 1)
    Atomics.notify(this.#ring.state, DONE)
  }
}

/** The other end. */
export class ChunkRing {
  readonly #ring = new SharedRing()
  readonly #send: (chunk: SentChunk) => void
  readonly #keepers: RingKeeper[] = []
  /** By place: whose chunk is there, and its number. */
  readonly #places: ({ keeper: RingKeeper; number: number } | undefined)[] = new Array(PLACES).fill(undefined)
  #sent = 0

  constructor(send: (chunk: SentChunk) => void) {
    this.#send = send
  }

  get buffer(): SharedArrayBuffer {
    return this.#ring.buffer
  }

  /** Of one more drive; its number is how many there were before. */
  keeper(path: string): ChunkKeeper {
    const drive = this.#keepers.length
    const keeper = new RingKeeper({
      room: () => this.#room(path),
      chunk: (place) => this.#ring.chunk(place),
      keep: (number, bytes) => this.#keep(drive, number, bytes),
    })
    this.#keepers.push(keeper)
    return keeper
  }

  get #hasFailed(): boolean {
    return Atomics.load(this.#ring.state, FAILED) !== 0
  }

  /** Waits until the next place is free. After a failure, of which the journal tells soon, chunks go nowhere. */
  #room(path: string): Uint8Array {
    const { state } = this.#ring
    for (;;) {
      const done = Atomics.load(state, DONE)
      if (((this.#sent - done) | 0) < PLACES || this.#hasFailed) break
      if (Atomics.wait(state, DONE, done, STALLED_MS) === 'timed-out') {
        throw new WriteError(`${path}: cannot write: nothing was written for ${STALLED_MS / 1000} s.`, path)
      }
    }
    const place = this.#sent % PLACES
    const before = this.#places[place]
    if (before !== undefined && this.#hasFailed) before.keeper.forget(before.number)
    else if (before !== undefined) {
      const [at, bytes, checksum] = this.#ring.results.subarray(RESULT_DOUBLES * place, RESULT_DOUBLES * (place + 1))
      before.keeper.isStored(before.number, { at: at!, bytes: bytes!, checksum: checksum! })
    }
    this.#places[place] = undefined
    return this.#ring.chunk(place)
  }

  #keep(drive: number, number: number, bytes: number): number {
    const place = this.#sent++ % PLACES
    this.#places[place] = { keeper: this.#keepers[drive]!, number }
    this.#send({ drive, number, place, bytes })
    return place
  }
}

interface RingUse {
  room(): Uint8Array
  chunk(place: number): Uint8Array
  keep(number: number, bytes: number): number
}

class RingKeeper implements ChunkKeeper {
  readonly #use: RingUse
  /** By number: where it is in the ring, or in the file. */
  readonly #chunks = new Map<number, number | StoredChunk>()

  constructor(use: RingUse) {
    this.#use = use
  }

  room(): Uint8Array {
    return this.#use.room()
  }

  keep(number: number, chunk: Uint8Array): void {
    this.#chunks.set(number, this.#use.keep(number, chunk.length))
  }

  recent(number: number): Uint8Array | undefined {
    const place = this.#chunks.get(number)
    return typeof place === 'number' ? this.#use.chunk(place) : undefined
  }

  stored(number: number): StoredChunk | undefined {
    const stored = this.#chunks.get(number)
    return typeof stored === 'number' ? undefined : stored
  }

  sync(): void {}

  forget(number: number): void {
    this.#chunks.delete(number)
  }

  isStored(number: number, stored: StoredChunk): void {
    this.#chunks.set(number, stored)
  }
}
