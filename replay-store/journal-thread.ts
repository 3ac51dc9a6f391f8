/**
 * A journal whose entries are encoded, hashed and written by a thread of its own: whoever appends them, which is the thread that
 * runs the guest, only lays them flat.
 *
 * Entries go there in batches, which are sent when they are full, and at each request. The thread counts those that it has done
 * with, so that their memory is used again without asking.
 */
import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import type { Message } from '../bus/mod.ts'
import { ChunkRing, type SentChunk } from './chunk-ring.ts'
import { NodeTable } from './codec.ts'
import type { ChunkKeeper } from './drive-writer.ts'
import { EntryBatch } from './entry-batch.ts'
import { WriteError } from './errors.ts'
import { FlatEntry, TEXT_FIELD } from './flat-entry.ts'
import type { Journal, JournalPlace } from './journal-writer.ts'

/** What the thread is started with. */
export interface JournalThreadData {
  place: JournalPlace
  /** Counts the batches that it has done with. */
  done: Int32Array
}

/** A drive's file, open for writing, whose chunks are to come by this ring. Drives have their numbers in this order. */
export interface JournalDrive {
  path: string
  file: number
  ring: SharedArrayBuffer
}

/** In the order in which it is sent all of it is done. */
export type JournalMessage = JournalWork | { drive: JournalDrive } | { chunk: SentChunk }

export type JournalRequest = 'flush' | 'identity' | 'close' | 'abandon'

/** What the thread is sent: entries, and what it is to do when it has taken them. */
export interface JournalWork {
  batch: Uint8Array<SharedArrayBuffer>
  /** Those that have got numbers since the work before, in the order of these. */
  texts: string[]
  request: JournalRequest | undefined
}

/** What the thread sends for each request, or once, in place of all that would follow, when it has failed. */
export type JournalReply =
  | { state: 'done'; bytes: number; identity: string }
  | { state: 'unwritten'; message: string; path: string; cause: unknown }
  | { state: 'failed'; error: unknown }

/** Two or three thousand entries. */
const BATCH_BYTES = 128 * 1024
/** With more, whoever appends is to wait. */
const MAX_WAITING = 64

export class JournalThread implements Journal {
  readonly #nodes: NodeTable
  readonly #worker: Worker
  readonly #done = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  /** By their numbers in batches: names of address spaces, which are few. */
  readonly #texts: string[] = []
  #sentTexts = 0
  #batch = new EntryBatch(BATCH_BYTES)
  /** In the order in which they were sent: the thread is done with the first of them first. */
  readonly #sent: EntryBatch[] = []
  #sentCount = 0
  #entryCount = 0
  #bytes = 0
  /** Who waits for a reply, in the order of requests. */
  readonly #waiting: PromiseWithResolvers<string>[] = []
  #failure: { error: unknown } | undefined
  #ring: ChunkRing | undefined

  constructor(place: JournalPlace) {
    this.#nodes = new NodeTable(place.nodes)
    const workerData: JournalThreadData = { place, done: this.#done }
    this.#worker = new Worker(new URL('./journal-worker.ts', import.meta.url), { workerData })
    this.#worker.on('message', (reply: JournalReply) => this.#received(reply))
    this.#worker.on('error', (error) => this.#failed(error))
    this.#worker.on('exit', () => this.#failed(new Error('the thread that writes the journal has ended')))
    // It keeps the process from ending only while somebody waits for it.
    this.#worker.unref()
  }

  get entryCount(): number {
    return this.#entryCount
  }

  get bytes(): number {
    return this.#bytes
  }

  get isBehind(): boolean {
    return this.#sentCount - Atomics.load(this.#done, 0) > MAX_WAITING
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  append(message: Message): void {
    if (this.#failure !== undefined) throw this.#failure.error
    const batch = this.#batch
    if (batch.entry.set(message, this.#nodes)) this.#addWithData(batch)
    else if (!batch.add()) this.#send()
    this.#entryCount++
  }

  /** Takes the chunks of the drive whose file this is: see drive-writer.ts. */
  chunkKeeper(file: number, path: string): ChunkKeeper {
    this.#ring ??= new ChunkRing((chunk) => {
      if (this.#failure !== undefined) throw this.#failure.error
      this.#post({ chunk })
    })
    this.#post({ drive: { path, file, ring: this.#ring.buffer } })
    return this.#ring.keeper(path)
  }

  async flush(): Promise<void> {
    await this.#request('flush')
  }

  identity(): Promise<string> {
    return this.#request('identity')
  }

  close(): Promise<string> {
    return this.#request('close')
  }

  async abandon(): Promise<void> {
    await this.#request('abandon')
  }

  async #request(request: JournalRequest): Promise<string> {
    if (this.#failure !== undefined) throw this.#failure.error
    this.#send(request)
    const waiting = Promise.withResolvers<string>()
    this.#waiting.push(waiting)
    this.#worker.ref()
    return waiting.promise
  }

  #addWithData(batch: EntryBatch): void {
    const { entry } = batch
    const data = TEXT_FIELD[entry.kind]! < 0 ? entry.bytes : this.#numberText(entry)
    if (!batch.fits(data)) {
      // It lies in a batch that is sent now, and may be used again at once.
      const kept = new FlatEntry()
      kept.copy(entry)
      if (!batch.isEmpty) this.#send()
      if (!this.#batch.fits(data)) this.#batch = new EntryBatch(data.length)
      this.#batch.entry.copy(kept)
    }
    this.#batch.addWithData(data)
  }

  /** Puts the number of its text into the entry's field; returns the text's bytes. */
  #numberText(entry: FlatEntry): Uint8Array {
    const { kind, text } = entry
    const known = this.#texts.indexOf(text)
    entry.setField(TEXT_FIELD[kind]!, known < 0 ? this.#texts.push(text) - 1 : known)
    return Buffer.from(text)
  }

  #send(request?: JournalRequest): void {
    const work: JournalWork = { batch: this.#batch.bytes, texts: this.#texts.slice(this.#sentTexts), request }
    this.#sentTexts = this.#texts.length
    this.#post(work)
    this.#sent.push(this.#batch)
    this.#sentCount++
    const isFirstDone = this.#sentCount - this.#sent.length < Atomics.load(this.#done, 0)
    this.#batch = (isFirstDone ? this.#sent.shift() : undefined) ?? new EntryBatch(BATCH_BYTES)
    this.#batch.clear()
  }

  #post(message: JournalMessage): void {
    this.#worker.postMessage(message)
  }

  #received(reply: JournalReply): void {
    if (reply.state === 'failed') this.#failed(reply.error)
    else if (reply.state === 'unwritten') this.#failed(new WriteError(reply.message, reply.path, reply.cause))
    else {
      this.#bytes = reply.bytes
      const waiting = this.#waiting.shift()
      assert(waiting !== undefined, 'the journal was asked for what it replies to')
      if (this.#waiting.length === 0) this.#worker.unref()
      waiting.resolve(reply.identity)
    }
  }

  /** The first failure is what all calls say. */
  #failed(error: unknown): void {
    this.#failure ??= { error }
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure.error)
    this.#worker.unref()
  }
}
