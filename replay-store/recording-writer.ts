/**
 * Writes a recording to local disk while it is made.
 *
 * Entries gather in memory until a frame is cut (`FRAME_BYTES`, or `flush`), go to the tail, and are sealed into a
 * segment when the log says so: a `segment` entry, which the bus makes at a grid point. Where frames were cut leaves no
 * trace. Order of steps at a seal: write the segment under another name, rename it, remove the tail. Wherever a crash
 * falls, the entries are in the tail or in the segment, and a segment hides its own tail.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { LogSink, Message } from '../bus/mod.ts'
import { decodeEntries, EntryEncoder, NodeTable } from './codec.ts'
import { RecordingExistsError } from './errors.ts'
import { errorCode, hostFiles, type StoreFiles, syncDirectory, writeAll, writeError, writeWhole } from './files.ts'
import { IdentityHash, sha256 } from './identity.ts'
import { imagePath, imagesPath, journalPath, manifestPath, segmentPath, tailPath } from './layout.ts'
import { type Manifest, type ManifestInput, manifestText, newManifest, type RecordingEnd } from './manifest.ts'
import { encodeSegment } from './segment.ts'
import { encodeFrame } from './tail.ts'

/** A guest image: what the board calls it, and its bytes. */
export interface Image {
  name: string
  bytes: Uint8Array
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
  /** Entries encoded and not yet in a frame. */
  readonly #frame = new Uint8Array(FRAME_BYTES)
  #frameBytes = 0
  #frameEntries = 0
  /** Payloads of the frames in the tail, for the seal. Bounded by `MAX_SEGMENT_BYTES`. */
  #payloads: Uint8Array[] = []
  #payloadBytes = 0
  #tailBytes = 0
  #tailFile: number | undefined
  #segmentNumber = 0
  #segmentFirstEntry = 0
  /** Entries in frames and segments. */
  #writtenEntries = 0
  #sealedBytes = 0
  #state: 'open' | 'closed' | 'failed' = 'open'
  #failure: unknown

  private constructor(directory: string, input: ManifestInput, manifest: Manifest, options: WriterOptions) {
    this.directory = directory
    this.#manifestInput = input
    this.#manifest = manifest
    this.#files = options.files ?? hostFiles
    this.#fsync = options.fsync ?? false
    const nodes = new NodeTable(manifest.nodes)
    this.#encoder = new EntryEncoder(nodes)
    this.#identity = new IdentityHash(nodes)
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
    const records = images.map(({ name, bytes }) => ({ name, sha256: sha256(bytes), bytes: bytes.length }))
    const manifest = newManifest(input, records)
    const writer = new RecordingWriter(directory, input, manifest, options)
    refuseExisting(directory)
    writer.#guard(directory, () => {
      writer.#files.makeDirectory(imagesPath(directory))
      writer.#files.makeDirectory(journalPath(directory))
      images.forEach(({ bytes }, i) => {
        writeWhole(writer.#files, imagePath(directory, records[i]!.sha256), bytes, writer.#fsync)
      })
      writer.#writeManifest()
      if (writer.#fsync) syncDirectory(writer.#files, dirname(resolve(directory)))
    })
    return writer
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
    const bytes = this.#encoder.encode(message)
    if (this.#frameBytes + bytes.length > FRAME_BYTES) this.flush()
    if (bytes.length > FRAME_BYTES) {
      this.#writeFrame(new Uint8Array(bytes), 1)
    } else {
      this.#frame.set(bytes, this.#frameBytes)
      this.#frameBytes += bytes.length
      this.#frameEntries++
    }
    if (message.payload.kind === 'segment') this.#seal()
  }

  /** Makes every entry so far survive the death of this process, and with `fsync` of the host. Throws `WriteError`. */
  flush(): void {
    this.#assertOpen()
    if (this.#frameEntries === 0) return
    // The frame's bytes are kept for the seal, so they leave the buffer that the next entries overwrite.
    const payload = this.#frame.slice(0, this.#frameBytes)
    const entries = this.#frameEntries
    this.#frameBytes = 0
    this.#frameEntries = 0
    this.#writeFrame(payload, entries)
  }

  /** The identity of the entries so far. Cuts a frame. */
  identity(): string {
    if (this.#state === 'open') this.flush()
    return this.#identity.digest()
  }

  /** Ends the recording: seals what is left and writes `end` into the manifest. Throws `WriteError`. */
  close(end: RecordingEnd): void {
    this.#assertOpen()
    this.flush()
    if (this.#payloads.length > 0) this.#seal()
    const stored = { ...end, entries: this.#writtenEntries, identity: this.#identity.digest() }
    this.#manifest = newManifest(this.#manifestInput, this.#manifest.images, stored)
    this.#writeManifest()
    this.#state = 'closed'
  }

  /** Gives up the recording as if the recorder had been killed after a last `flush`: it stays, without an end. */
  abandon(): void {
    this.#assertOpen()
    this.flush()
    this.#closeTail()
    this.#state = 'closed'
  }

  #assertOpen(): void {
    if (this.#state === 'failed') throw this.#failure
    assert(this.#state === 'open', 'the recording was closed')
  }

  /** Runs what writes; a failure makes the writer useless, and is remembered. */
  #guard(path: string, work: () => void): void {
    try {
      work()
    } catch (cause) {
      this.#state = 'failed'
      this.#failure = writeError(path, cause)
      this.#closeTail()
      throw this.#failure
    }
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

  #writeFrame(payload: Uint8Array, entryCount: number): void {
    const path = tailPath(this.directory, this.#segmentNumber)
    const frame = encodeFrame(payload, this.#writtenEntries, entryCount)
    this.#guard(path, () => {
      const file = this.#tailFile ?? this.#openTail(path)
      writeAll(this.#files, file, frame, path)
      if (this.#fsync) this.#files.sync(file)
    })
    this.#identity.update(payload)
    this.#payloads.push(payload)
    this.#payloadBytes += payload.length
    this.#tailBytes += frame.length
    this.#writtenEntries += entryCount
    assert(this.#payloadBytes <= MAX_SEGMENT_BYTES, 'a log must end its segments')
  }

  #closeTail(): void {
    const file = this.#tailFile
    this.#tailFile = undefined
    if (file !== undefined) this.#files.close(file)
  }

  #seal(): void {
    this.flush()
    const path = segmentPath(this.directory, this.#segmentNumber)
    const fail = (what: string) => new assert.AssertionError({ message: `own entries cannot be read back: ${what}` })
    const entries = decodeEntries(Buffer.concat(this.#payloads), this.#encoder.nodes, fail)
    const segment = encodeSegment(
      entries,
      this.#segmentNumber,
      this.#segmentFirstEntry,
      this.#manifest.nsPerInstruction,
    )
    this.#guard(path, () => {
      writeWhole(this.#files, path, segment, this.#fsync)
      this.#closeTail()
      this.#files.remove(tailPath(this.directory, this.#segmentNumber))
    })
    this.#sealedBytes += segment.length
    this.#payloads = []
    this.#payloadBytes = 0
    this.#tailBytes = 0
    this.#segmentNumber++
    this.#segmentFirstEntry = this.#writtenEntries
  }
}
