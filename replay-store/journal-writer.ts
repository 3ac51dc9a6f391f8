/**
 * Writes the journal of a recording to local disk while it is made.
 *
 * Entries gather in memory until a frame is cut (`FRAME_BYTES`, or `flush`) and go to the tail; meanwhile they are put
 * into the columns of their segment, which is sealed when the log says so: a `segment` entry, which the bus makes at a
 * grid point. Where frames were cut leaves no trace. Order of steps at a seal: write the segment under another name, rename
 * it, remove the tail. Wherever a crash falls, the entries that were flushed are in the tail or in the segment, and a segment
 * hides its own tail. Entries that wait for their frame at a seal go into the segment only.
 */
import assert from 'node:assert/strict'
import type { LogSink, Message, NodeName } from '../bus/mod.ts'
import { KIND, NodeTable } from './codec.ts'
import { EntryEncoder } from './entry-encoder.ts'
import { hostFiles, type StoreFiles, syncDirectory, writeAll, writeError, writeWhole } from './files.ts'
import { IdentityHash } from './identity.ts'
import { journalPath, segmentPath, tailPath } from './layout.ts'
import { SegmentWriter } from './segment.ts'
import { encodeFrame } from './tail.ts'

/** Where a journal goes, and whose it is. */
export interface JournalPlace {
  /** The recording's; it has its folder for the journal. */
  directory: string
  nodes: readonly NodeName[]
  nsPerInstruction: number
  /** Waits for the disk at every frame and seal. */
  fsync: boolean
}

/**
 * What takes the entries of a recording: here, or on a thread of its own. All but `append` is done when its promise, where it
 * gives one, is kept. Each throws a `WriteError` when the disk could not take what it should; the journal is then of no more use,
 * and says the same at every call.
 */
export interface Journal extends LogSink {
  /** Entries appended so far, flushed or not. */
  readonly entryCount: number
  /** Bytes on disk, at the last flush at least: sealed segments, and the tail while there is one. */
  readonly bytes: number
  /** Whether so much waits to be written that whoever appends should wait for a flush. */
  readonly isBehind: boolean
  /** Whether it is of no more use. */
  readonly hasFailed: boolean
  /** Makes every entry so far survive the death of this process, and with `fsync` of the host. */
  flush(): void | Promise<void>
  /** The identity of the entries so far. Flushes. */
  identity(): string | Promise<string>
  /** Seals what is left: the journal has its end. Gives its identity. */
  close(): string | Promise<string>
  /** Leaves the journal as if its writer had been killed after a last `flush`. */
  abandon(): void | Promise<void>
}

/** A frame is cut when the next entry does not fit this. */
const FRAME_BYTES = 64 * 1024
/** The bus ends segments long before this: an entry has some 20 bytes, a segment some 4,100 to 10,000 entries. */
const MAX_SEGMENT_BYTES = 2 ** 28

export class JournalWriter implements Journal {
  readonly #directory: string
  readonly #files: StoreFiles
  readonly #fsync: boolean
  readonly #syncFirst: () => void
  readonly #encoder: EntryEncoder
  readonly #identity: IdentityHash
  /** All entries since the last seal. */
  readonly #segment: SegmentWriter
  /** Entries that wait in the encoder for their frame. */
  #frameEntries = 0
  /** Of the segment's frames; bounded by `MAX_SEGMENT_BYTES`. */
  #payloadBytes = 0
  #tailBytes = 0
  #tailFile: number | undefined
  #segmentNumber = 0
  /** Entries in frames and segments. */
  #writtenEntries = 0
  #sealedBytes = 0
  #failure: { error: unknown } | undefined

  /** @param syncFirst with `fsync`: makes what entries depend on survive the host's death, before they do */
  constructor(
    { directory, nodes, nsPerInstruction, fsync }: JournalPlace,
    files: StoreFiles = hostFiles,
    syncFirst: () => void = () => {},
  ) {
    this.#syncFirst = syncFirst
    this.#directory = directory
    this.#files = files
    this.#fsync = fsync
    const table = new NodeTable(nodes)
    this.#encoder = new EntryEncoder(table)
    this.#identity = new IdentityHash(table)
    this.#segment = new SegmentWriter(this.#encoder, nsPerInstruction)
  }

  get entryCount(): number {
    return this.#writtenEntries + this.#frameEntries
  }

  get bytes(): number {
    return this.#sealedBytes + this.#tailBytes
  }

  get isBehind(): boolean {
    return false
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  append(message: Message): void {
    this.#assertSound()
    const encoder = this.#encoder
    const before = encoder.length
    encoder.entry.set(message, encoder.nodes)
    this.#segment.append()
    this.#appended(1, before)
  }

  /** Takes the entries of a batch (entry-batch.ts), in which texts have been given these numbers more. */
  appendAll(batch: Uint8Array, texts: readonly string[]): void {
    this.#assertSound()
    const encoder = this.#encoder
    for (const text of texts) encoder.memory.textNumber(text)
    encoder.setBatch(batch)
    while (!encoder.isBatchDone) {
      const { count, before } = this.#segment.appendSome(FRAME_BYTES, KIND.segment)
      this.#appended(count, before)
    }
  }

  /** So many entries joined those that wait, the last of them behind `before` bytes. */
  #appended(count: number, before: number): void {
    const encoder = this.#encoder
    this.#frameEntries += count - 1
    // An entry that does not fit begins the next frame, one that fits none is alone in its own.
    if (encoder.length > FRAME_BYTES && before > 0) this.#cutFrame(before)
    this.#frameEntries++
    if (encoder.length > FRAME_BYTES) this.flush()
    if (encoder.entry.kind === KIND.segment) this.#seal()
  }

  flush(): void {
    this.#assertSound()
    if (this.#frameEntries === 0) return
    this.#cutFrame(this.#encoder.length)
  }

  identity(): string {
    this.flush()
    return this.#identity.digest()
  }

  close(): string {
    this.#assertSound()
    if (this.#segment.entryCount > 0) this.#seal()
    return this.#identity.digest()
  }

  abandon(): void {
    this.flush()
    this.#closeTail()
  }

  #assertSound(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Runs what writes; a failure makes the writer useless, and is remembered. */
  #guard(path: string, work: () => void): void {
    try {
      work()
    } catch (cause) {
      this.#failure = { error: writeError(path, cause) }
      this.#closeTail()
      throw this.#failure.error
    }
  }

  #openTail(path: string): number {
    const file = this.#files.create(path)
    this.#tailFile = file
    if (this.#fsync) syncDirectory(this.#files, journalPath(this.#directory))
    return file
  }

  /** Writes the first `length` of the encoder's bytes, which are whole entries, as a frame. */
  #cutFrame(length: number): void {
    const path = tailPath(this.#directory, this.#segmentNumber)
    const payload = this.#encoder.view(length)
    const frame = encodeFrame(payload, this.#writtenEntries, this.#frameEntries)
    this.#guard(path, () => {
      if (this.#fsync) this.#syncFirst()
      const file = this.#tailFile ?? this.#openTail(path)
      writeAll(this.#files, file, frame, path)
      if (this.#fsync) this.#files.sync(file)
    })
    this.#tailBytes += frame.length
    this.#take(length)
  }

  /** Takes the first `length` of the encoder's bytes out of it: they are in a frame, or will be in the segment. */
  #take(length: number): void {
    this.#identity.update(this.#encoder.view(length))
    this.#encoder.drop(length)
    this.#payloadBytes += length
    this.#writtenEntries += this.#frameEntries
    this.#frameEntries = 0
    assert(this.#payloadBytes <= MAX_SEGMENT_BYTES, 'a log must end its segments')
  }

  #closeTail(): void {
    const file = this.#tailFile
    this.#tailFile = undefined
    if (file !== undefined) this.#files.close(file)
  }

  #seal(): void {
    if (this.#frameEntries > 0) this.#take(this.#encoder.length)
    const path = segmentPath(this.#directory, this.#segmentNumber)
    const firstEntry = this.#writtenEntries - this.#segment.entryCount
    const segment = this.#segment.finish(this.#segmentNumber, firstEntry)
    this.#guard(path, () => {
      if (this.#fsync) this.#syncFirst()
      writeWhole(this.#files, path, segment, this.#fsync)
      if (this.#tailFile === undefined) return
      this.#closeTail()
      this.#files.remove(tailPath(this.#directory, this.#segmentNumber))
    })
    this.#sealedBytes += segment.length
    this.#payloadBytes = 0
    this.#tailBytes = 0
    this.#segmentNumber++
  }
}
