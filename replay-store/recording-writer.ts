/**
 * Writes a recording to local disk while it is made.
 *
 * Entries gather in memory until a frame is cut (`FRAME_BYTES`, or `flush`) and go to the tail; meanwhile they are put
 * into the columns of their segment, which is sealed when the log says so: a `segment` entry, which the bus makes at a
 * grid point. Where frames were cut leaves no trace. Order of steps at a seal: write the segment under another name, rename it, remove the tail. Wherever a crash
 * falls, the entries that were flushed are in the tail or in the segment, and a segment hides its own tail. Entries that wait
 * for their frame at a seal go into the segment only.
 *
 * A directory becomes a recording with its manifest, which is written when all images are there. A writer that `begin` made
 * takes entries before that; nobody may be told of what they say until it is `ready`.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { BusState, LogSink, Message } from '../bus/mod.ts'
import type { CheckpointEncoder, CheckpointPosition } from './checkpoint.ts'
import { KIND, NodeTable } from './codec.ts'
import { EntryEncoder } from './entry-encoder.ts'
import { RecordingExistsError, type WriteError } from './errors.ts'
import {
  errorCode,
  hostFiles,
  removeWhole,
  type StoreFiles,
  syncDirectory,
  writeAll,
  writeError,
  writeWhole,
  writeWholeAside,
} from './files.ts'
import { IdentityHash, sha256 } from './identity.ts'
import {
  checkpointPath,
  checkpointsPath,
  imagePath,
  imagesPath,
  journalPath,
  manifestPath,
  segmentPath,
  tailPath,
} from './layout.ts'
import { type Manifest, type ManifestInput, manifestText, newManifest, type RecordingEnd } from './manifest.ts'
import { SegmentWriter } from './segment.ts'
import { encodeFrame } from './tail.ts'

/** A guest image: what the board calls it, and its bytes, which stay as they are. */
export interface Image {
  name: string
  bytes: Uint8Array
  /** SHA-256 of the bytes in hexadecimal, where it is known already. */
  sha256?: string
}

export interface WriterOptions {
  /** Waits for the disk at every frame and seal: what was flushed survives the host's death too. Default: false. */
  fsync?: boolean
  /** The functions that write. */
  files?: StoreFiles
}

/** A frame is cut when the next entry does not fit this. */
const FRAME_BYTES = 64 * 1024
/** The bus ends segments long before this: an entry has some 20 bytes, a segment some 4,100 to 10,000 entries. */
const MAX_SEGMENT_BYTES = 2 ** 28

function refuseExisting(directory: string): void {
  let names: string[]
  try {
    names = fs.readdirSync(directory)
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return
    if (errorCode(cause) !== 'ENOTDIR') throw writeError(directory, cause)
    names = ['']
  }
  if (names.length === 0) return
  throw new RecordingExistsError(`${directory} exists. Remove it, or record under another name.`, directory)
}

export class RecordingWriter implements LogSink {
  readonly directory: string
  readonly #manifestInput: ManifestInput
  #manifest: Manifest
  readonly #files: StoreFiles
  readonly #fsync: boolean
  readonly #encoder: EntryEncoder
  readonly #identity: IdentityHash
  /** Entries that wait in the encoder for their frame. */
  #frameEntries = 0
  /** All entries since the last seal. */
  readonly #segment: SegmentWriter
  /** Of the segment's frames; bounded by `MAX_SEGMENT_BYTES`. */
  #payloadBytes = 0
  #tailBytes = 0
  #tailFile: number | undefined
  #segmentNumber = 0
  /** Entries in frames and segments. */
  #writtenEntries = 0
  #sealedBytes = 0
  #state: 'open' | 'closed' | 'failed' = 'open'
  #failure: unknown
  #ready: Promise<void> = Promise.resolve()
  #isReady = false
  #checkpoints = 0
  #checkpointPending: Promise<void> | undefined
  #checkpointFailure: WriteError | undefined

  private constructor(directory: string, input: ManifestInput, manifest: Manifest, options: WriterOptions) {
    this.directory = directory
    this.#manifestInput = input
    this.#manifest = manifest
    this.#files = options.files ?? hostFiles
    this.#fsync = options.fsync ?? false
    const nodes = new NodeTable(manifest.nodes)
    this.#encoder = new EntryEncoder(nodes)
    this.#identity = new IdentityHash(nodes)
    this.#segment = new SegmentWriter(this.#encoder, manifest.nsPerInstruction)
  }

  /**
   * Starts a recording in `directory`, which must not exist or be empty. Images are written first, the manifest last:
   * a directory with a manifest is a recording. Throws `RecordingExistsError`, `WriteError`.
   */
  static create(
    directory: string,
    input: ManifestInput,
    images: readonly Image[],
    options: WriterOptions = {},
  ): RecordingWriter {
    const writer = RecordingWriter.#inNewDirectory(directory, input, images, options)
    writer.#guard(directory, () => {
      for (const { path, bytes } of writer.#imageFiles(images)) writeWhole(writer.#files, path, bytes, writer.#fsync)
    })
    writer.#becomeRecording()
    return writer
  }

  /**
   * The same with the images written on another thread, while entries are taken already: see `ready`. Throws
   * `RecordingExistsError`, and a `WriteError` where the directory cannot be made.
   */
  static begin(
    directory: string,
    input: ManifestInput,
    images: readonly Image[],
    options: WriterOptions = {},
  ): RecordingWriter {
    const writer = RecordingWriter.#inNewDirectory(directory, input, images, options)
    writer.#ready = writer.#writeImagesAside(images)
    // Whoever waits for it is told, and everybody else at their next call.
    writer.#ready.catch(() => {})
    return writer
  }

  static #inNewDirectory(
    directory: string,
    input: ManifestInput,
    images: readonly Image[],
    options: WriterOptions,
  ): RecordingWriter {
    const records = images.map(({ name, bytes, sha256: known }) => ({
      name,
      sha256: known ?? sha256(bytes),
      bytes: bytes.length,
    }))
    const writer = new RecordingWriter(directory, input, newManifest(input, records), options)
    refuseExisting(directory)
    writer.#guard(directory, () => {
      writer.#files.makeDirectory(imagesPath(directory))
      writer.#files.makeDirectory(journalPath(directory))
    })
    return writer
  }

  /**
   * Kept when the images are there, and so the manifest. Before that nothing of the journal may be told to anybody, and
   * `close` and `abandon` are not allowed. Fails with a `WriteError`; later calls throw it too.
   */
  get ready(): Promise<void> {
    return this.#ready
  }

  /** Whether `ready` has been kept. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Entries appended so far, flushed or not. */
  get entryCount(): number {
    return this.#writtenEntries + this.#frameEntries
  }

  /** Bytes of the journal on disk: sealed segments, and the tail while there is one. */
  get journalBytes(): number {
    return this.#sealedBytes + this.#tailBytes
  }

  get manifest(): Manifest {
    return this.#manifest
  }

  /**
   * Takes the next entry. It is durable after the next `flush`, or seal, or `close`. Throws `WriteError` when the disk
   * cannot take it; the writer is then of no more use, and says the same at every call.
   */
  append(message: Message): void {
    this.#assertOpen()
    const encoder = this.#encoder
    const before = encoder.length
    this.#segment.append(message)
    // An entry that does not fit begins the next frame, one that fits none is alone in its own.
    if (encoder.length > FRAME_BYTES && before > 0) this.#cutFrame(before)
    this.#frameEntries++
    if (encoder.length > FRAME_BYTES) this.flush()
    if (encoder.memory.entry.kind === KIND.segment) this.#seal()
  }

  /** Makes every entry so far survive the death of this process, and with `fsync` of the host. Throws `WriteError`. */
  flush(): void {
    this.#assertOpen()
    if (this.#frameEntries === 0) return
    this.#cutFrame(this.#encoder.length)
  }

  /** Whether a checkpoint may be added now: none is being written, and none could not be written. */
  get takesCheckpoint(): boolean {
    return this.#isReady && this.#checkpointPending === undefined && this.#checkpointFailure === undefined
  }

  /**
   * Why there are no more checkpoints, where one could not be written. It is left out, and the recording goes on: nothing needs
   * it but speed, and a disk that is full for it may have room for the journal.
   */
  get checkpointFailure(): WriteError | undefined {
    return this.#checkpointFailure
  }

  /**
   * Adds a checkpoint that stands after the last entry, which was a `grid` or a `segment`, and has the pages of `encoder`. It
   * is written by other threads.
   */
  addCheckpoint(position: CheckpointPosition, state: BusState, encoder: CheckpointEncoder): void {
    this.#assertOpen()
    assert(this.takesCheckpoint, 'a checkpoint is being written, or one could not be')
    const number = this.#checkpoints + 1
    this.#checkpointPending = this.#writeCheckpoint(number, encoder.encode(number, position, state)).finally(() => {
      this.#checkpointPending = undefined
    })
  }

  /** Kept when no checkpoint is being written. */
  async checkpointsWritten(): Promise<void> {
    await this.#checkpointPending
  }

  async #writeCheckpoint(number: number, encoded: Promise<Uint8Array[]>): Promise<void> {
    const path = checkpointPath(this.directory, number)
    try {
      const parts = await encoded
      this.#files.makeDirectory(checkpointsPath(this.directory))
      await writeWholeAside(this.#files, path, parts, this.#fsync)
      this.#checkpoints = number
    } catch (cause) {
      this.#checkpointFailure = writeError(path, cause)
      removeWhole(this.#files, path)
    }
  }

  /** The identity of the entries so far. Cuts a frame. */
  identity(): string {
    if (this.#state === 'open') this.flush()
    return this.#identity.digest()
  }

  /** Ends the recording: seals what is left and writes `end` into the manifest. Throws `WriteError`. */
  close(end: RecordingEnd): void {
    this.#assertReady()
    if (this.#segment.entryCount > 0) this.#seal()
    const stored = { ...end, entries: this.#writtenEntries, identity: this.#identity.digest() }
    this.#manifest = newManifest(this.#manifestInput, this.#manifest.images, stored)
    this.#writeManifest()
    this.#state = 'closed'
  }

  /** Gives up the recording as if the recorder had been killed after a last `flush`: it stays, without an end. */
  abandon(): void {
    this.#assertReady()
    this.flush()
    this.#closeTail()
    this.#state = 'closed'
  }

  #assertOpen(): void {
    if (this.#state === 'open') return
    if (this.#state === 'failed') throw this.#failure
    assert.fail('the recording was closed')
  }

  #assertReady(): void {
    this.#assertOpen()
    assert(this.#checkpointPending === undefined, 'a checkpoint is still being written')
    assert(this.#isReady, 'the images of the recording are still being written')
  }

  /** Runs what writes; a failure makes the writer useless, and is remembered. */
  #guard(path: string, work: () => void): void {
    try {
      work()
    } catch (cause) {
      throw this.#failed(path, cause)
    }
  }

  /** The failure to throw: the first one. */
  #failed(path: string, cause: unknown): unknown {
    if (this.#state === 'failed') return this.#failure
    this.#state = 'failed'
    this.#failure = writeError(path, cause)
    this.#closeTail()
    return this.#failure
  }

  #imageFiles(images: readonly Image[]): { path: string; bytes: Uint8Array }[] {
    return images.map(({ bytes }, i) => ({ path: imagePath(this.directory, this.#manifest.images[i]!.sha256), bytes }))
  }

  /** If the journal failed meanwhile, what of it is on disk still becomes a recording. */
  async #writeImagesAside(images: readonly Image[]): Promise<void> {
    try {
      for (const { path, bytes } of this.#imageFiles(images)) {
        await writeWholeAside(this.#files, path, [bytes], this.#fsync)
      }
    } catch (cause) {
      const failure = writeError(this.directory, cause)
      this.#failed(this.directory, failure)
      throw failure
    }
    this.#becomeRecording()
  }

  /** Writes the first manifest. */
  #becomeRecording(): void {
    this.#writeManifest()
    this.#guard(this.directory, () => {
      if (this.#fsync) syncDirectory(this.#files, dirname(resolve(this.directory)))
    })
    this.#isReady = true
  }

  #writeManifest(): void {
    const path = manifestPath(this.directory)
    this.#guard(path, () => writeWhole(this.#files, path, Buffer.from(manifestText(this.#manifest)), this.#fsync))
  }

  #openTail(path: string): number {
    const file = this.#files.create(path)
    this.#tailFile = file
    if (this.#fsync) syncDirectory(this.#files, journalPath(this.directory))
    return file
  }

  /** Writes the first `length` of the encoder's bytes, which are whole entries, as a frame. */
  #cutFrame(length: number): void {
    const path = tailPath(this.directory, this.#segmentNumber)
    const payload = this.#encoder.view(length)
    const frame = encodeFrame(payload, this.#writtenEntries, this.#frameEntries)
    this.#guard(path, () => {
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
    const path = segmentPath(this.directory, this.#segmentNumber)
    const firstEntry = this.#writtenEntries - this.#segment.entryCount
    const segment = this.#segment.finish(this.#segmentNumber, firstEntry)
    this.#guard(path, () => {
      writeWhole(this.#files, path, segment, this.#fsync)
      if (this.#tailFile === undefined) return
      this.#closeTail()
      this.#files.remove(tailPath(this.directory, this.#segmentNumber))
    })
    this.#sealedBytes += segment.length
    this.#payloadBytes = 0
    this.#tailBytes = 0
    this.#segmentNumber++
  }
}
