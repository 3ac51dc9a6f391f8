/**
 * What a recording keeps of a drive's image: the chunks that the run read, so that it replays where the image is not.
 *
 *     'ANKE' u32 | for each chunk, in the order in which they were read:
 *     its number u32 | bytes that are stored of it u32 | CRC-32 of these bytes u32 | CRC-32 of the 12 bytes before u32 | the bytes
 *
 * A chunk is 64 KiB, the image's last one what is left. Fewer stored bytes than that are zstd; none: it is all zeros. Numbers are
 * little-endian. So the file is its own index, which a cut leaves whole up to there.
 */
import * as fs from 'node:fs'
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { StorageImage } from '../bus/mod.ts'
import { DamagedError, StoreError } from './errors.ts'
import { type StoreFiles, writeAll } from './files.ts'
import { readError, readStart } from './reading.ts'

const MAGIC = 0x454b4e41
export const MAGIC_BYTES = 4
const HEAD_BYTES = 16
const CHECKED_BYTES = 12
export const CHUNK_BYTES = 64 * 1024
const ZEROS = Buffer.alloc(CHUNK_BYTES)
/** The fastest of zstd's usual levels. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/** What is not worth it is kept as it is; whether it may be is seen from a piece in its middle first, a tenth of the time. */
const WORTH = 15 / 16
const PROBE_BYTES = 4096

/** Where a chunk's bytes are in the file, and their CRC-32. */
export interface StoredChunk {
  at: number
  bytes: number
  checksum: number
}

/** A drive's file while it is written, wherever that is done. */
export class ChunkFile {
  readonly path: string
  readonly #file: number
  readonly #files: StoreFiles
  #fileBytes = MAGIC_BYTES
  #isSynced = true

  /** @param file open for writing, and empty but for its first bytes: see `beginChunkFile` */
  constructor(path: string, file: number, files: StoreFiles) {
    this.path = path
    this.#file = file
    this.#files = files
  }

  /** When it returns, the chunk survives the process. Throws a `WriteError`. */
  append(number: number, chunk: Uint8Array): StoredChunk {
    const bytes = packChunk(chunk)
    const checksum = crc32(bytes)
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt32LE(number, 0)
    head.writeUInt32LE(bytes.length, 4)
    head.writeUInt32LE(checksum, 8)
    head.writeUInt32LE(crc32(head.subarray(0, CHECKED_BYTES)), CHECKED_BYTES)
    this.#isSynced = false
    writeAll(this.#files, this.#file, head, this.path)
    if (bytes.length > 0) writeAll(this.#files, this.#file, bytes, this.path)
    const at = this.#fileBytes + HEAD_BYTES
    this.#fileBytes = at + bytes.length
    return { at, bytes: bytes.length, checksum }
  }

  /** What was appended survives the host's death. */
  sync(): void {
    if (!this.#isSynced) this.#files.sync(this.#file)
    this.#isSynced = true
  }
}

/** Makes a drive's file where nothing is yet, and opens it for writing. Throws what the host throws, and a `WriteError`. */
export function beginChunkFile(path: string, files: StoreFiles): number {
  const file = files.create(path)
  const magic = Buffer.alloc(MAGIC_BYTES)
  magic.writeUInt32LE(MAGIC)
  writeAll(files, file, magic, path)
  return file
}

/** The image of a drive as a recording has it. */
export class RecordedDrive implements StorageImage {
  readonly bytes: number
  readonly #name: string
  readonly #path: string
  readonly #chunks: ReadonlyMap<number, StoredChunk>
  readonly #reader: ChunkReader

  /**
   * @param isCut whether its recorder may have died: a last chunk that is not whole is none then. Throws a `DamagedError`, and a
   * `StoreError` where the host cannot read it.
   */
  constructor(path: string, name: string, bytes: number, isCut: boolean) {
    this.bytes = bytes
    this.#name = name
    this.#path = path
    this.#chunks = listChunks(path, name, bytes, isCut)
    this.#reader = new ChunkReader(path, name)
  }

  /** How much of the image there is. */
  get keptBytes(): number {
    return [...this.#chunks.keys()].reduce((sum, number) => sum + chunkBytes(this.bytes, number), 0)
  }

  /** Throws a `DamagedError`, and a `StoreError` for what the recorded run has not read. */
  read(offset: number, into: Uint8Array): void {
    readChunks(offset, into, (number) => {
      const stored = this.#chunks.get(number)
      if (stored !== undefined) return this.#reader.read(number, stored, chunkBytes(this.bytes, number))
      throw new StoreError(
        `${this.#path}: byte ${offset} of ${this.#name} was not read when it was recorded, so that the recording does not have it.`,
        this.#path,
      )
    })
  }

  /** Reads all that there is. Throws a `DamagedError`. */
  verify(): void {
    for (const [number, stored] of this.#chunks) this.#reader.read(number, stored, chunkBytes(this.bytes, number))
  }
}

/** Chunks that were read lately, which a guest reads piece by piece. */
const KEPT_CHUNKS = 16

/** Reads chunks of a drive's file, checked. */
export class ChunkReader {
  readonly #path: string
  readonly #name: string
  #file: number | undefined
  /** By number, the one used longest ago first; `KEPT_CHUNKS` at most. */
  readonly #kept = new Map<number, Uint8Array>()

  constructor(path: string, name: string) {
    this.#path = path
    this.#name = name
  }

  /** Must not be changed. Throws a `DamagedError`, and a `StoreError` where the host cannot read it. */
  read(number: number, stored: StoredChunk, length: number): Uint8Array {
    const chunk = this.#kept.get(number) ?? this.#unpack(number, stored, length)
    this.#kept.delete(number)
    this.#kept.set(number, chunk)
    if (this.#kept.size > KEPT_CHUNKS) this.#kept.delete(this.#kept.keys().next().value!)
    return chunk
  }

  #unpack(number: number, { at, bytes, checksum }: StoredChunk, length: number): Uint8Array {
    if (bytes === 0) return ZEROS.subarray(0, length)
    const stored = Buffer.allocUnsafeSlow(bytes)
    let read = 0
    try {
      this.#file ??= fs.openSync(this.#path, 'r')
      read = fs.readSync(this.#file, stored, 0, bytes, at)
    } catch (cause) {
      throw readError(this.#path, cause)
    }
    const fail = (what: string, cause?: unknown) =>
      new DamagedError(this.#path, `chunk ${number} of ${this.#name}`, what, cause)
    if (read < bytes || crc32(stored) !== checksum) throw fail('its checksum does not match')
    if (bytes === length) return stored
    let chunk: Buffer
    try {
      chunk = zstdDecompressSync(stored, { maxOutputLength: length })
    } catch (cause) {
      throw fail('it cannot be unpacked', cause)
    }
    if (chunk.length !== length) throw fail(`it unpacks to ${chunk.length} bytes, not ${length}`)
    return chunk
  }

  close(): void {
    if (this.#file !== undefined) fs.closeSync(this.#file)
    this.#file = undefined
  }
}

function listChunks(path: string, name: string, imageBytes: number, isCut: boolean): Map<number, StoredChunk> {
  const fail = (what: string) => new DamagedError(path, `the image of ${name}`, what)
  const { start, fileBytes } = readStart(path, `the image of ${name}`, MAGIC_BYTES)
  if (start.length < MAGIC_BYTES || start.readUInt32LE() !== MAGIC) throw fail('it does not begin as one does')
  const chunks = new Map<number, StoredChunk>()
  withFile(path, (file) => {
    const head = Buffer.alloc(HEAD_BYTES)
    for (let at = MAGIC_BYTES; at < fileBytes; ) {
      const isHead = at + HEAD_BYTES <= fileBytes && fs.readSync(file, head, 0, HEAD_BYTES, at) === HEAD_BYTES
      if (isHead && crc32(head.subarray(0, CHECKED_BYTES)) !== head.readUInt32LE(CHECKED_BYTES)) {
        throw fail(`the head of a chunk at byte ${at}: its checksum does not match`)
      }
      const [number, bytes, checksum] = [0, 4, 8].map((place) => head.readUInt32LE(place)) as [number, number, number]
      if (!isHead || at + HEAD_BYTES + bytes > fileBytes) {
        if (isCut) return
        throw fail('its last chunk is not whole')
      }
      if (number * CHUNK_BYTES >= imageBytes || bytes > chunkBytes(imageBytes, number)) {
        throw fail(`it has a chunk ${number} of ${bytes} bytes, and the image has none such`)
      }
      if (chunks.has(number)) throw fail(`it has chunk ${number} twice`)
      chunks.set(number, { at: at + HEAD_BYTES, bytes, checksum })
      at += HEAD_BYTES + bytes
    }
  })
  return chunks
}

export function chunkBytes(imageBytes: number, number: number): number {
  return Math.min(CHUNK_BYTES, imageBytes - number * CHUNK_BYTES)
}

/** Fills `into` with the bytes from `offset` on, out of whole chunks. */
export function readChunks(offset: number, into: Uint8Array, chunk: (number: number) => Uint8Array): void {
  for (let done = 0; done < into.length; ) {
    const number = Math.floor((offset + done) / CHUNK_BYTES)
    const from = offset + done - number * CHUNK_BYTES
    const part = chunk(number).subarray(from, from + into.length - done)
    into.set(part, done)
    done += part.length
  }
}

/** What is stored of a chunk. */
function packChunk(chunk: Uint8Array): Uint8Array {
  if (Buffer.compare(chunk, ZEROS.subarray(0, chunk.length)) === 0) return chunk.subarray(0, 0)
  const middle = Math.max(0, (chunk.length - PROBE_BYTES) >> 1)
  const probe = chunk.subarray(middle, middle + PROBE_BYTES)
  if (zstdCompressSync(probe, COMPRESSION).length > WORTH * probe.length) return chunk
  const packed = zstdCompressSync(chunk, COMPRESSION)
  return packed.length > WORTH * chunk.length ? chunk : packed
}

function withFile(path: string, use: (file: number) => void): void {
  let file: number
  try {
    file = fs.openSync(path, 'r')
  } catch (cause) {
    throw readError(path, cause)
  }
  try {
    use(file)
  } catch (cause) {
    throw cause instanceof StoreError ? cause : readError(path, cause)
  } finally {
    fs.closeSync(file)
  }
}
