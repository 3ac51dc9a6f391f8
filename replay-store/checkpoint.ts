/**
 * A checkpoint's file: `checkpoints/NNNNNN`, written once, whole, and never changed.
 *
 *     'ANKC' | header bytes u32 | header (msgpack array) | CRC-32 of all before u32 | body (zstd of what follows, with its checksum)
 *     pages | their numbers, u32 each | state (msgpack)
 *
 * Its pages are those that were written since the checkpoint before it; since power-on, for the first: memory at checkpoint n
 * is what stands there at power-on, and over it the pages of checkpoints 1 to n, in order. A page may come more than once.
 * Nothing but speed depends on checkpoints, and they are no part of a journal's identity. Numbers outside msgpack are
 * little-endian. Zstd's checksum is made by the threads that compress: one of the compressed bytes would be for the thread that
 * runs the guest. It is of the contents, so that a few flipped bits that do not matter to them, such as the window's size, are
 * not found.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { finished } from 'node:stream/promises'
import { constants, crc32, createZstdCompress, zstdDecompressSync } from 'node:zlib'
import { Packr } from 'msgpackr/pack'
import * as v from 'valibot'
import { type BusState, PAGE_BYTES, type PageBatch, type Vt } from '../bus/mod.ts'
import { DamagedError, type StoreError } from './errors.ts'
import { errorCode } from './files.ts'
import { checkpointFile, checkpointPath, checkpointsPath } from './layout.ts'
import { readError, readPart, readStart } from './reading.ts'

const MAGIC = 0x434b4e41
const PREFIX_BYTES = 8
const CHECKSUM_BYTES = 4
/** A header is a few numbers; more than this is damage. */
const MAX_HEADER_BYTES = 4096
/** No body is larger; a damaged size must not make the host run out of memory. */
const MAX_BODY_BYTES = 2 ** 31
/** The fastest of zstd's usual levels: 50 MB of a boot's pages take 0.1 s of other threads and become 18 MB. */
const ZSTD_LEVEL = 1
const NUMBER_BYTES = 4
/** Of zlib's buffers. */
const MIN_CHUNK_BYTES = 64
/** Compressed bytes that another thread makes before it asks this one, which may be running the guest, to go on. */
const PART_BYTES = 2 ** 22

/** Where a checkpoint stands. */
export interface CheckpointPosition {
  /** Entries of the journal before it; the last of them is a `grid` or a `segment`. */
  entries: number
  icount: number
  vt: Vt
  /** Host milliseconds since the run began. */
  hostMs: number
}

/** A checkpoint's file, as its header describes it. */
export interface CheckpointFile extends CheckpointPosition {
  /** From 1. */
  number: number
  path: string
  fileBytes: number
}

/** What a checkpoint's file holds. */
export interface StoredCheckpoint {
  state: BusState
  /** By number; of the same twice, the later counts. */
  pages: Iterable<readonly [page: number, bytes: Uint8Array]>
}

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const headerSchema = v.strictTuple([
  v.pipe(whole, v.minValue(1)), // number
  whole, // entries
  whole, // icount
  whole, // vt
  whole, // hostMs
  whole, // stateBytes
  whole, // pageCount
  v.pipe(whole, v.maxValue(MAX_BODY_BYTES)), // bodyBytes
])

interface Header extends CheckpointPosition {
  number: number
  stateBytes: number
  pageCount: number
  /** Where the body is in the file. */
  bodyAt: number
  bodyBytes: number
}

const packr = () => new Packr({ useRecords: false })

/**
 * A checkpoint's file while it is made. Its pages are compressed on other threads as they come, and kept compressed: a
 * recorder adds them while the guest runs on.
 */
export class CheckpointEncoder {
  readonly #compress = createZstdCompress({
    chunkSize: PART_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  })
  readonly #position: CheckpointPosition
  readonly #state: Buffer
  readonly #numbers: Uint8Array[] = []
  readonly #body: Buffer[] = []
  #pageCount = 0

  /** @param state as it is at the call, whatever becomes of it */
  constructor(position: CheckpointPosition, state: BusState) {
    this.#position = position
    this.#state = packr().pack(state)
    this.#compress.on('data', (part: Buffer) => this.#body.push(part))
    // `encode` says it.
    this.#compress.on('error', () => {})
  }

  /**
   * Adds pages; they may be read until the promise is kept, which never fails. A page that is written meanwhile is to be added
   * again: zstd reads each byte once, so that no other page is the worse for it.
   */
  async add({ pages, bytes }: PageBatch): Promise<void> {
    assert(bytes.length === PAGE_BYTES * pages.length)
    this.#pageCount += pages.length
    this.#numbers.push(new Uint8Array(Uint32Array.from(pages).buffer))
    await this.#write(bytes)
  }

  /**
   * The whole file of checkpoint `number`, in parts, once all pages were added. Fails where the compressor did, and after
   * `destroy`.
   */
  async encode(number: number): Promise<Uint8Array[]> {
    const ended = finished(this.#compress)
    this.#compress.end(Buffer.concat([...this.#numbers, this.#state]))
    await ended
    const body = this.#body
    const bodyBytes = body.reduce((sum, part) => sum + part.length, 0)
    const { entries, icount, vt, hostMs } = this.#position
    const place = [number, entries, icount, vt, Math.round(hostMs)]
    const header = packr().pack([...place, this.#state.length, this.#pageCount, bodyBytes])
    assert(header.length <= MAX_HEADER_BYTES)
    const start = Buffer.alloc(PREFIX_BYTES + header.length + CHECKSUM_BYTES)
    start.writeUInt32LE(MAGIC, 0)
    start.writeUInt32LE(header.length, 4)
    start.set(header, PREFIX_BYTES)
    const checkedBytes = PREFIX_BYTES + header.length
    start.writeUInt32LE(crc32(start.subarray(0, checkedBytes)), checkedBytes)
    return [start, ...body]
  }

  /** Gives it up: what waits is let go of. */
  destroy(): void {
    this.#compress.destroy()
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#compress.write(bytes, () => resolve()))
  }
}

function decodeHeader(file: Uint8Array, path: string): Header {
  const fail = (what: string, cause?: unknown) => new DamagedError(path, 'the header of the checkpoint', what, cause)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < PREFIX_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw fail('it does not begin as a checkpoint does')
  }
  const checkedBytes = PREFIX_BYTES + view.getUint32(4, true)
  if (checkedBytes + CHECKSUM_BYTES > file.length) throw fail('its size is wrong, or the file was cut')
  const checked = file.subarray(0, checkedBytes)
  if (crc32(checked) !== view.getUint32(checkedBytes, true)) throw fail('its checksum does not match')
  try {
    const values = v.parse(headerSchema, packr().unpack(checked.subarray(PREFIX_BYTES)))
    const [number, entries, icount, vt, hostMs, stateBytes, pageCount, bodyBytes] = values
    const position = { number, entries, icount, vt, hostMs }
    return { ...position, stateBytes, pageCount, bodyAt: checkedBytes + CHECKSUM_BYTES, bodyBytes }
  } catch (cause) {
    throw fail('its contents are not those of a header', cause)
  }
}

function decodeBody(file: Uint8Array, header: Header, path: string): StoredCheckpoint {
  const fail = (what: string, cause?: unknown) => new DamagedError(path, 'the body of the checkpoint', what, cause)
  const body = file.subarray(header.bodyAt)
  if (body.length !== header.bodyBytes) {
    throw fail(`it should have ${header.bodyBytes} bytes and has ${body.length}`)
  }
  const { stateBytes, pageCount } = header
  const numbersAt = PAGE_BYTES * pageCount
  const stateAt = numbersAt + NUMBER_BYTES * pageCount
  const size = stateAt + stateBytes
  if (size > MAX_BODY_BYTES) throw fail(`it would unpack to ${size} bytes`)
  let contents: Buffer
  let state: BusState
  try {
    // With room for all of it, and more by which its end is known: else it would come in pieces.
    contents = zstdDecompressSync(body, { maxOutputLength: size, chunkSize: size + MIN_CHUNK_BYTES })
    state = packr().unpack(contents.subarray(stateAt, size))
  } catch (cause) {
    throw fail('it cannot be unpacked', cause)
  }
  if (contents.length !== size) throw fail(`it unpacks to ${contents.length} bytes, not ${size}`)
  const pages = Array.from({ length: pageCount }, (_, index) => {
    const at = PAGE_BYTES * index
    return [contents.readUInt32LE(numbersAt + NUMBER_BYTES * index), contents.subarray(at, at + PAGE_BYTES)] as const
  })
  return { state, pages }
}

/**
 * The checkpoints of the recording in `directory`, in order; of them those before the first that is missing or damaged as far
 * as its header goes, which `damage` is about.
 */
export function listCheckpoints(directory: string): { files: CheckpointFile[]; damage: StoreError | undefined } {
  const files: CheckpointFile[] = []
  try {
    const last = lastNumber(directory)
    for (let number = 1; number <= last; number++) files.push(describeFile(directory, number))
  } catch (error) {
    return { files, damage: error as StoreError }
  }
  return { files, damage: undefined }
}

/** Reads a checkpoint, all that it holds checked. Throws a `DamagedError`, and a `StoreError` where the host cannot read it. */
export function readCheckpoint({ path }: CheckpointFile): StoredCheckpoint {
  const file = readPart(path, 'the checkpoint')
  return decodeBody(file, decodeHeader(file, path), path)
}

function lastNumber(directory: string): number {
  const path = checkpointsPath(directory)
  try {
    return Math.max(0, ...fs.readdirSync(path).map((name) => checkpointFile(name) ?? 0))
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return 0
    throw readError(path, cause)
  }
}

function describeFile(directory: string, number: number): CheckpointFile {
  const path = checkpointPath(directory, number)
  const most = PREFIX_BYTES + MAX_HEADER_BYTES + CHECKSUM_BYTES
  const { start, fileBytes } = readStart(path, 'the checkpoint', most)
  const header = decodeHeader(start, path)
  const { entries, icount, vt, hostMs, bodyAt, bodyBytes } = header
  if (header.number !== number) {
    throw new DamagedError(path, 'the header of the checkpoint', `it is that of checkpoint ${header.number}`)
  }
  if (bodyAt + bodyBytes !== fileBytes) {
    const what = `it should have ${bodyBytes} bytes and has ${fileBytes - bodyAt}`
    throw new DamagedError(path, 'the body of the checkpoint', what)
  }
  return { number, entries, icount, vt, hostMs, path, fileBytes }
}
