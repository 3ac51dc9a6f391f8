/**
 * Writes a recording to local disk while it is made: its images, its manifest, its checkpoints, and through a `Journal` its journal.
 *
 * A directory becomes a recording with its manifest, which is written when all images are there. A writer that `begin` made
 * takes entries before that; nobody may be told of what they say until it is `ready`.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { LogSink, Message, StorageImage } from '../bus/mod.ts'
import type { CheckpointEncoder } from './checkpoint.ts'
import { DriveWriter } from './drive-writer.ts'
import { RecordingExistsError, type WriteError } from './errors.ts'
import {
  errorCode,
  hostFiles,
  removeWhole,
  type StoreFiles,
  syncDirectory,
  writeError,
  writeWhole,
  writeWholeAside,
} from './files.ts'
import { sha256 } from './identity.ts'
import { JournalThread } from './journal-thread.ts'
import { type Journal, JournalWriter } from './journal-writer.ts'
import {
  checkpointPath,
  checkpointsPath,
  drivePath,
  drivesPath,
  imagePath,
  imagesPath,
  journalPath,
  manifestPath,
} from './layout.ts'
import { type Manifest, type ManifestInput, manifestText, newManifest, type RecordingEnd } from './manifest.ts'

/** A guest image: what the board calls it, and its bytes, which stay as they are. */
export interface Image {
  name: string
  bytes: Uint8Array
  /** SHA-256 of the bytes in hexadecimal, where it is known already. */
  sha256?: string
}

/** A drive's image, which stays as it is. */
export interface DriveImage {
  /** The storage that it is in: `ide.disk0`. */
  name: string
  image: StorageImage
  /** Where it is on the host, for whoever wants the rest of it. */
  path: string
  /** SHA-256 of all its bytes in hexadecimal. */
  sha256: string
}

export interface WriterOptions {
  /** The images of the machine's drives, of which the recording keeps what is read: see `drive`. Default: none. */
  drives?: readonly DriveImage[]
  /** Waits for the disk at every frame and seal: what was flushed survives the host's death too. Default: false. */
  fsync?: boolean
  /** The functions that write. Default: the host's. */
  files?: StoreFiles
  /** Entries are encoded and written by a thread of the journal's own, which writes by the host's functions. Default: false. */
  isThreaded?: boolean
}

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
  readonly #journal: Journal
  readonly #drives = new Map<string, DriveWriter>()
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
    const { nodes, nsPerInstruction } = manifest
    const place = { directory, nodes, nsPerInstruction, fsync: this.#fsync }
    const syncDrives = () => {
      for (const drive of this.#drives.values()) drive.sync()
    }
    this.#journal = options.isThreaded ? new JournalThread(place) : new JournalWriter(place, this.#files, syncDrives)
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
    refuseExisting(directory)
    const { drives = [] } = options
    const driveRecords = drives.map(({ image, ...drive }) => ({ ...drive, bytes: image.bytes }))
    const writer = new RecordingWriter(directory, input, newManifest(input, records, undefined, driveRecords), options)
    writer.#guard(directory, () => {
      writer.#files.makeDirectory(imagesPath(directory))
      writer.#files.makeDirectory(journalPath(directory))
      if (drives.length > 0) writer.#files.makeDirectory(drivesPath(directory))
      for (const { name, image } of drives) {
        writer.#drives.set(name, writer.#beginDrive(name, image))
      }
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

  /** The image of a drive, for the machine to read: what it reads is kept first. Reading throws a `WriteError`. */
  drive(name: string): StorageImage {
    const drive = this.#drives.get(name)
    assert(drive !== undefined, `the recording has no drive ${name}`)
    return drive
  }

  /** Entries appended so far, flushed or not. */
  get entryCount(): number {
    return this.#journal.entryCount
  }

  /** Bytes of the journal on disk, at the last flush at least: sealed segments, and the tail while there is one. */
  get journalBytes(): number {
    return this.#journal.bytes
  }

  get manifest(): Manifest {
    return this.#manifest
  }

  /**
   * Takes the next entry. It is durable after the next `flush`, or seal, or `close`. Throws `WriteError` when the disk
   * cannot take it, or could not take one before; the writer is then of no more use, and says the same at every call.
   */
  append(message: Message): void {
    this.#assertOpen()
    this.#journal.append(message)
  }

  /** Whether so much waits to be written that the run should wait for a `flush`. */
  get isBehind(): boolean {
    return this.#journal.isBehind
  }

  /** Makes every entry so far survive the death of this process, and with `fsync` of the host. Fails with a `WriteError`. */
  async flush(): Promise<void> {
    this.#assertOpen()
    await this.#journal.flush()
  }

  /** Whether a checkpoint may be added now: none is being written, and neither one nor the journal could not be written. */
  get takesCheckpoint(): boolean {
    const isOpen = this.#isReady && this.#state === 'open' && !this.#journal.hasFailed
    return isOpen && this.#checkpointPending === undefined && this.#checkpointFailure === undefined
  }

  /**
   * Why there are no more checkpoints, where one could not be written. It is left out, and the recording goes on: nothing needs
   * it but speed, and a disk that is full for it may have room for the journal.
   */
  get checkpointFailure(): WriteError | undefined {
    return this.#checkpointFailure
  }

  /** Adds a checkpoint, which stands later than those before it and has all its pages. It is written by other threads. */
  addCheckpoint(encoder: CheckpointEncoder): void {
    this.#assertOpen()
    assert(this.takesCheckpoint, 'a checkpoint is being written, or one could not be')
    const number = this.#checkpoints + 1
    this.#checkpointPending = this.#writeCheckpoint(number, encoder.encode(number)).finally(() => {
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

  /** The identity of the entries so far. Flushes. */
  async identity(): Promise<string> {
    this.#assertOpen()
    return this.#journal.identity()
  }

  /** Ends the recording: seals what is left and writes `end` into the manifest. Fails with a `WriteError`. */
  async close(end: RecordingEnd): Promise<void> {
    this.#assertReady()
    const identity = await this.#journal.close()
    const stored = { ...end, entries: this.#journal.entryCount, identity }
    this.#manifest = newManifest(this.#manifestInput, this.#manifest.images, stored, this.#manifest.drives)
    this.#closeDrives()
    this.#writeManifest()
    this.#state = 'closed'
  }

  /** Gives up the recording as if the recorder had been killed after a last `flush`: it stays, without an end. */
  async abandon(): Promise<void> {
    this.#assertReady()
    await this.#journal.abandon()
    this.#closeDrives()
    this.#state = 'closed'
  }

  #beginDrive(name: string, image: StorageImage): DriveWriter {
    const path = drivePath(this.directory, name)
    const journal = this.#journal
    if (!(journal instanceof JournalThread)) return new DriveWriter(path, name, image, this.#files)
    return new DriveWriter(path, name, image, this.#files, (file) => journal.chunkKeeper(file, path))
  }

  #closeDrives(): void {
    for (const [name, drive] of this.#drives) this.#guard(drivePath(this.directory, name), () => drive.close())
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
    void this.#endJournal()
    return this.#failure
  }

  /** Nobody asks anything of the journal any more: its file, and its thread, are given back. */
  async #endJournal(): Promise<void> {
    try {
      await this.#journal.abandon()
    } catch {
      // The first failure is the one that is told.
    }
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
}
