/**
 * Reads a recording from local disk. It is a snapshot: of a recording that is still being written, what was flushed
 * when it was opened. Whatever is read is checked before it is used.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import type { Message, NodeName } from '../bus/mod.ts'
import { listCheckpoints, readCheckpoint } from './checkpoint.ts'
import { NodeTable } from './codec.ts'
import { RecordedDrive } from './drive.ts'
import type { Entries } from './entry-list.ts'
import { DamagedError, NotARecordingError, StoreError } from './errors.ts'
import { errorCode } from './files.ts'
import { FlatEntry, toMessage } from './flat-entry.ts'
import { JournalHasher, sha256 } from './identity.ts'
import { drivePath, imagePath, journalFile, journalPath, manifestPath, segmentPath, tailPath } from './layout.ts'
import { type ImageRecord, type Manifest, parseManifest } from './manifest.ts'
import { readError, readPart, readPartAside, readStart } from './reading.ts'
import { decodeSegmentBody, decodeSegmentHeader, MAX_HEADER_BYTES, type StoredSegmentHeader } from './segment.ts'
import { decodeTail } from './tail.ts'

/** Where and why a recording without an end stops. */
export interface Truncation {
  /** Entries that are there. */
  entries: number
  /** The file that ends too early, and where its first frame that is not whole begins. */
  path: string
  offset: number
  what: string
}

/** An entry and its place in the journal. */
export interface PlacedMessage {
  index: number
  message: Message
}

/**
 * Decoded segments kept at a time, of some 150 KB each; the one used longest ago goes first. A boot has 23, and a replay
 * goes through them twice: to compare, and for the identity.
 */
const KEPT_SEGMENTS = 32
/** Tries to list the journal while a recorder seals segments under our eyes. */
const LISTING_TRIES = 16

function readManifest(directory: string): Manifest {
  const path = manifestPath(directory)
  let bytes: Buffer
  try {
    bytes = fs.readFileSync(path)
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT' && errorCode(cause) !== 'ENOTDIR') {
      throw readError(path, cause)
    }
    const what = fs.existsSync(directory) ? 'is not a recording: it has no manifest.json' : 'does not exist'
    throw new NotARecordingError(`${directory} ${what}. Give a directory that ananke record made.`, directory, cause)
  }
  return parseManifest(bytes, path, directory)
}

interface OpenSegment {
  header: StoredSegmentHeader
  path: string
  fileBytes: number
}

function readSegmentHeader(directory: string, number: number): OpenSegment {
  const path = segmentPath(directory, number)
  const { start, fileBytes } = readStart(path, 'the segment', MAX_HEADER_BYTES)
  return { header: decodeSegmentHeader(start, fileBytes, path), path, fileBytes }
}

/** The journal's files as they are now: sealed segments, and the bytes of the tail if there is one. */
function listJournal(directory: string): { segments: number; tail?: Buffer } | 'changing' {
  const path = journalPath(directory)
  let names: string[]
  try {
    names = fs.readdirSync(path)
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw readError(path, cause)
    throw new DamagedError(path, 'the journal', 'the directory is missing', cause)
  }
  const files = names.map(journalFile).filter((file) => file !== undefined)
  const sealed = new Set<number>()
  let segments = 0
  let tail = -1
  for (const { number, sort } of files) {
    if (sort === 'tail') tail = Math.max(tail, number)
    else {
      sealed.add(number)
      segments = Math.max(segments, number + 1)
    }
  }
  // A listing may miss a file that is renamed or removed meanwhile: what is there after all means listing again.
  for (let number = 0; number < Math.max(segments, tail); number++) {
    if (sealed.has(number)) continue
    const missing = segmentPath(directory, number)
    if (fs.existsSync(missing)) return 'changing'
    throw new DamagedError(missing, `segment ${number}`, 'the file is missing')
  }
  // A tail whose segment is there is what a crash in a seal left behind.
  if (tail < segments) return fs.existsSync(segmentPath(directory, segments)) ? 'changing' : { segments }
  try {
    return { segments, tail: fs.readFileSync(tailPath(directory, tail)) }
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return 'changing'
    throw readError(tailPath(directory, tail), cause)
  }
}

/** Messages as `Entries`: those of a tail. */
class MessageList implements Entries {
  readonly #messages: readonly Message[]
  readonly #nodes: NodeTable

  constructor(messages: readonly Message[], nodes: NodeTable) {
    this.#messages = messages
    this.#nodes = nodes
  }

  get length(): number {
    return this.#messages.length
  }

  icount(index: number): number {
    return this.#messages[index]!.icount
  }

  read(index: number, into: FlatEntry): void {
    into.set(this.#messages[index]!, this.#nodes)
  }
}

export class Recording {
  readonly directory: string
  readonly manifest: Manifest
  /** Set when the recording has no end: it is still being written, or its recorder was killed. */
  readonly truncated: Truncation | undefined
  readonly entryCount: number
  /** Bytes of the journal on disk. */
  readonly journalBytes: number
  /** The places of the nodes in the entries that `read` gives. */
  readonly nodes: NodeTable
  readonly #segments: readonly OpenSegment[]
  /** The entries that no segment holds; the first is the journal's `#tailFirst`. */
  readonly #tail: Entries
  readonly #tailFirst: number
  /** The segment that `read` was last asked for: the journal's entries from `first` to before `end`. */
  #latest: { first: number; end: number; entries: Entries }
  /** By segment number, the one used longest ago first. */
  readonly #decoded = new Map<number, Entries>()
  readonly #flat = new FlatEntry()
  #identity: string | undefined
  /** What `entry` gave last. */
  #given: PlacedMessage | undefined

  private constructor(
    directory: string,
    manifest: Manifest,
    segments: readonly OpenSegment[],
    tail: Buffer | undefined,
  ) {
    this.directory = directory
    this.manifest = manifest
    this.nodes = new NodeTable(manifest.nodes)
    this.#segments = segments
    this.#tailFirst = this.#checkSegments()
    const path = tailPath(directory, segments.length)
    const contents = tail === undefined ? { entries: [] } : decodeTail(tail, this.#tailFirst, this.nodes, path)
    const messages = contents.entries.map((entry) => toMessage(entry, this.nodes))
    this.#tail = new MessageList(messages, this.nodes)
    this.#latest = { first: this.#tailFirst, end: this.#tailFirst + messages.length, entries: this.#tail }
    this.entryCount = this.#tailFirst + this.#tail.length
    this.journalBytes = segments.reduce((sum, segment) => sum + segment.fileBytes, tail?.length ?? 0)
    this.truncated = this.#checkEnd(path, tail, contents.cut)
  }

  /**
   * Opens the recording in `directory`: reads its manifest, the headers of its segments, and its tail. Throws
   * `NotARecordingError`, `NewerFormatError`, `DamagedError`.
   */
  static open(directory: string): Recording {
    for (let tries = 0; tries < LISTING_TRIES; tries++) {
      const manifest = readManifest(directory)
      const journal = listJournal(directory)
      if (journal === 'changing') continue
      const segments = Array.from({ length: journal.segments }, (_, number) => readSegmentHeader(directory, number))
      return new Recording(directory, manifest, segments, journal.tail)
    }
    throw new StoreError(`${directory} keeps changing while it is read. Try again.`, directory)
  }

  /** Checks that the segments follow one another; returns the count of their entries. */
  #checkSegments(): number {
    let next = 0
    let icount = 0
    this.#segments.forEach(({ header, path }, number) => {
      const part = 'the header of the segment'
      if (header.number !== number) throw new DamagedError(path, part, `it is that of segment ${header.number}`)
      if (header.firstEntry !== next) {
        throw new DamagedError(path, part, `it begins with entry ${header.firstEntry}, not ${next}`)
      }
      if (header.firstIcount < icount) throw new DamagedError(path, part, 'icount runs backwards')
      next += header.entryCount
      icount = header.lastIcount
    })
    return next
  }

  #checkEnd(path: string, tail: Buffer | undefined, cut: { offset: number; what: string } | undefined) {
    const { end } = this.manifest
    if (end === undefined) {
      const place = cut ?? { offset: tail?.length ?? 0, what: 'the recording has no end' }
      return { entries: this.entryCount, path, ...place }
    }
    if (cut !== undefined) throw new DamagedError(path, `the frame at byte ${cut.offset}`, cut.what)
    if (end.entries !== this.entryCount) {
      const what = `it should have ${end.entries} entries and has ${this.entryCount}`
      throw new DamagedError(journalPath(this.directory), 'the journal', what)
    }
    return undefined
  }

  /** The number of the segment that entry `index` is in; for one of the tail the number of segments. */
  #segmentOf(index: number): number {
    return this.#firstSegment((header) => header.firstEntry + header.entryCount > index)
  }

  /** The first segment for which `holds`, which is false and then true; the number of segments when it never is. */
  #firstSegment(holds: (header: StoredSegmentHeader) => boolean): number {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (holds(this.#segments[middle]!.header)) high = middle
      else low = middle + 1
    }
    return low
  }

  #firstEntry(segment: number): number {
    return this.#segments[segment]?.header.firstEntry ?? this.#tailFirst
  }

  /** The entries of a segment, or of the tail. */
  #entriesOf(segment: number): Entries {
    if (segment === this.#segments.length) return this.#tail
    const kept = this.#decoded.get(segment)
    const entries = kept ?? this.#decode(this.#segments[segment]!)
    this.#decoded.delete(segment)
    this.#decoded.set(segment, entries)
    if (this.#decoded.size > KEPT_SEGMENTS) this.#decoded.delete(this.#decoded.keys().next().value!)
    return entries
  }

  #decode({ header, path }: OpenSegment): Entries {
    const file = readPart(path, 'the segment')
    const again = decodeSegmentHeader(file, file.length, path)
    const body = file.subarray(again.bodyAt)
    const nodeCount = this.nodes.names.length
    if (again.firstEntry !== header.firstEntry || again.entryCount !== header.entryCount) {
      throw new DamagedError(path, 'the header of the segment', 'it changed while the recording was open')
    }
    return decodeSegmentBody(body, again, nodeCount, this.manifest.nsPerInstruction, path)
  }

  /** Entry `index`, from 0. Messages are shared: they must not be changed. */
  entry(index: number): Message {
    if (this.#given?.index === index) return this.#given.message
    this.read(index, this.#flat)
    const message = this.#flat.message(this.nodes)
    this.#given = { index, message }
    return message
  }

  /** Fills `into` with entry `index`, from 0. Its bytes must not be changed. */
  read(index: number, into: FlatEntry): void {
    if (!(index >= this.#latest.first && index < this.#latest.end)) this.#turnTo(index)
    const { first, entries } = this.#latest
    entries.read(index - first, into)
  }

  #turnTo(index: number): void {
    assert(Number.isInteger(index) && index >= 0 && index < this.entryCount, 'there is no such entry')
    const segment = this.#segmentOf(index)
    const first = this.#firstEntry(segment)
    const entries = this.#entriesOf(segment)
    this.#latest = { first, end: first + entries.length, entries }
  }

  /** The entries from `from` up to, not including, `to`, in order. */
  *entries(from = 0, to = this.entryCount): Generator<Message, void, undefined> {
    assert(from >= 0 && to <= this.entryCount, 'there are no such entries')
    const flat = new FlatEntry()
    for (let index = from; index < to; index++) {
      this.read(index, flat)
      yield flat.message(this.nodes)
    }
  }

  /**
   * The entries that `node` sent or got with `fromIcount <= icount < toIcount`, in order. Only segments that have some
   * are read.
   */
  *entriesOfNode(
    node: NodeName,
    fromIcount = 0,
    toIcount = Number.POSITIVE_INFINITY,
  ): Generator<PlacedMessage, void, undefined> {
    const nodeIndex = this.manifest.nodes.indexOf(node)
    if (nodeIndex === -1) {
      throw new StoreError(
        `${this.directory} has no node ${node}. It has ${this.manifest.nodes.join(', ')}.`,
        this.directory,
      )
    }
    const flat = new FlatEntry()
    const start = this.#firstSegment((header) => header.lastIcount >= fromIcount)
    for (let segment = start; segment <= this.#segments.length; segment++) {
      const header = this.#segments[segment]?.header
      if (header !== undefined) {
        if (header.firstIcount >= toIcount) return
        const range = header.nodes.find((each) => each.node === nodeIndex)
        if (range === undefined || range.lastIcount < fromIcount || range.firstIcount >= toIcount) continue
      }
      const first = this.#firstEntry(segment)
      const entries = this.#entriesOf(segment)
      for (let i = 0; i < entries.length; i++) {
        entries.read(i, flat)
        if (flat.icount < fromIcount) continue
        if (flat.icount >= toIcount) return
        if (flat.src === nodeIndex || flat.dst === nodeIndex) {
          yield { index: first + i, message: flat.message(this.nodes) }
        }
      }
    }
  }

  /** The index of the first entry with this icount or a later one; `entryCount` when there is none. */
  findByIcount(icount: number): number {
    const segment = this.#firstSegment((header) => header.lastIcount >= icount)
    const entries = this.#entriesOf(segment)
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (entries.icount(middle) >= icount) high = middle
      else low = middle + 1
    }
    return this.#firstEntry(segment) + low
  }

  /** The journal's identity, computed from its entries. */
  identity(): string {
    this.#identity ??= this.#hashEntries()
    return this.#identity
  }

  #hashEntries(): string {
    const hasher = new JournalHasher(this.manifest.nodes)
    const flat = new FlatEntry()
    for (let index = 0; index < this.entryCount; index++) {
      this.read(index, flat)
      hasher.appendEntry(flat)
    }
    return hasher.digest()
  }

  /** The guest image called `name`, checked against its hash. */
  image(name: string): Uint8Array {
    const { record, path, part } = this.#imageOf(name)
    const bytes = readPart(path, part)
    return checkImage(bytes, record, path, part)
  }

  /**
   * The same, read by another thread from now on, and checked when it is asked for. (To make its hash there takes a copy first,
   * as long as the hash.)
   */
  readImageAside(name: string): () => Promise<Uint8Array> {
    const { record, path, part } = this.#imageOf(name)
    const reading = readPartAside(path, part)
    // Told to who asks.
    reading.catch(() => {})
    return async () => checkImage(await reading, record, path, part)
  }

  /** The image of a drive, as far as the run read it. Throws a `DamagedError`, and a `StoreError` for one that it has not. */
  drive(name: string): RecordedDrive {
    const record = this.manifest.drives?.find((drive) => drive.name === name)
    if (record === undefined) {
      const names = this.manifest.drives?.map((drive) => drive.name).join(', ') || 'none'
      throw new StoreError(`${this.directory} has no drive ${name}. It has: ${names}.`, this.directory)
    }
    return new RecordedDrive(drivePath(this.directory, name), name, record.bytes, this.truncated !== undefined)
  }

  #imageOf(name: string): { record: ImageRecord; path: string; part: string } {
    const record = this.manifest.images.find((image) => image.name === name)
    if (record === undefined) {
      const names = this.manifest.images.map((image) => image.name).join(', ') || 'none'
      throw new StoreError(`${this.directory} has no image ${name}. It has: ${names}.`, this.directory)
    }
    return { record, path: imagePath(this.directory, record.sha256), part: `the image ${name}` }
  }

  /**
   * Reads everything there is and returns all damage found, in the order of the journal; none: every bit that says something is as it
   * was written. What `open` reads it has checked already. A recording that was cut is not damaged for that.
   */
  verify(): DamagedError[] {
    const found: DamagedError[] = []
    const check = (work: () => void) => {
      try {
        work()
      } catch (error) {
        if (!(error instanceof DamagedError)) throw error
        found.push(error)
      }
    }
    for (const { name } of this.manifest.images) check(() => this.image(name))
    for (const { name } of this.manifest.drives ?? []) check(() => this.drive(name).verify())
    for (const segment of this.#segments) check(() => this.#decode(segment))
    const { files, damage } = listCheckpoints(this.directory)
    for (const file of files) check(() => readCheckpoint(file))
    check(() => {
      if (damage !== undefined) throw damage
    })
    if (found.length === 0) check(() => this.#checkIdentity())
    return found
  }

  #checkIdentity(): void {
    const { end } = this.manifest
    if (end !== undefined && end.identity !== this.identity()) {
      throw new DamagedError(journalPath(this.directory), 'the journal', 'its identity is not the one in the manifest')
    }
  }
}

/** Gives `bytes` if they are those that were recorded. */
function checkImage(bytes: Uint8Array, record: ImageRecord, path: string, part: string): Uint8Array {
  if (bytes.length !== record.bytes) {
    throw new DamagedError(path, part, `it should have ${record.bytes} bytes and has ${bytes.length}`)
  }
  if (sha256(bytes) !== record.sha256) throw new DamagedError(path, part, 'its SHA-256 does not match')
  return bytes
}
