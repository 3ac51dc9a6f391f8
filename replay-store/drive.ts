/**
 * What a recording keeps of a drive's image: the chunks that the run read, so that it replays where the image is not.
 *
 *     'ANKD' u32 | for each chunk, in the order in which they were read:
 *     its number u32 | bytes that are stored of it u32 | CRC-32 of both and of these bytes u32 | the bytes
 *
 * A chunk is 64 KiB, the image's last one what is left; one that is all zeros has no bytes. Numbers are little-endian. A chunk is
 * in the file before whoever asked for it has it, and so before the journal has what came of it.
 */
import * as fs from 'node:fs'
import { crc32 } from 'node:zlib'
import type { StorageImage } from '../bus/mod.ts'
import { DamagedError, StoreError } from './errors.ts'
import { type StoreFiles, writeAll, writeError } from './files.ts'
import { readError, readStart } from './reading.ts'

const MAGIC = 0x444b4e41
const MAGIC_BYTES = 4
const HEAD_BYTES = 12
const CHUNK_BYTES = 64 * 1024
const ZEROS = Buffer.alloc(CHUNK_BYTES)

/** Where a chunk's bytes are in the file; 0 bytes: it is all zeros. */
interface StoredChunk {
  at: number
  bytes: number
  checksum: number
}

/** The image of a drive while it is recorded: what is read of it once is kept, and read from there ever after. */
export class DriveWriter implements StorageImage {
  readonly bytes: number
  readonly #image: StorageImage
  readonly #path: string
  readonly #files: StoreFiles
  readonly #file: number
  readonly #chunks = new Map<number, StoredChunk>()
  #fileBytes = MAGIC_BYTES

  /** @param path where nothing is yet. Throws a `WriteError`. */
  constructor(path: string, image: StorageImage, files: StoreFiles) {
    this.bytes = image.bytes
    this.#image = image
    this.#path = path
    this.#files = files
    try {
      this.#file = files.create(path)
    } catch (cause) {
      throw writeError(path, cause)
    }
    const magic = Buffer.alloc(MAGIC_BYTES)
    magic.writeUInt32LE(MAGIC)
    writeAll(files, this.#file, magic, path)
  }

  /** Throws a `WriteError`, and what the image throws. */
  read(offset: number, into: Uint8Array): void {
    readChunks(offset, into, (number) => {
      const stored = this.#chunks.get(number)
      return stored === undefined ? this.#keep(number) : readChunk(this.#path, stored, chunkBytes(this.bytes, number))
    })
  }

  /** What was kept survives the host's death. */
  sync(): void {
    this.#files.sync(this.#file)
  }

  close(): void {
    this.#files.close(this.#file)
  }

  #keep(number: number): Uint8Array {
    const bytes = Buffer.alloc(chunkBytes(this.bytes, number))
    this.#image.read(number * CHUNK_BYTES, bytes)
    const stored = isZero(bytes) ? bytes.subarray(0, 0) : bytes
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt32LE(number, 0)
    head.writeUInt32LE(stored.length, 4)
    const checksum = checksumOf(number, stored)
    head.writeUInt32LE(checksum, 8)
    writeAll(this.#files, this.#file, head, this.#path)
    if (stored.length > 0) writeAll(this.#files, this.#file, stored, this.#path)
    this.#chunks.set(number, { at: this.#fileBytes + HEAD_BYTES, bytes: stored.length, checksum })
    this.#fileBytes += HEAD_BYTES + stored.length
    return bytes
  }
}

/** The image of a drive as a recording has it. */
export class RecordedDrive implements StorageImage {
  readonly bytes: number
  readonly #name: string
  readonly #path: string
  readonly #chunks: ReadonlyMap<number, StoredChunk>

  /**
   * @param isCut whether its recorder may have died: a last chunk that is not whole is none then. Throws a `DamagedError`, and a
   * `StoreError` where the host cannot read it.
   */
  constructor(path: string, name: string, bytes: number, isCut: boolean) {
    this.bytes = bytes
    this.#name = name
    this.#path = path
    this.#chunks = listChunks(path, name, bytes, isCut)
  }

  /** How much of the image there is. */
  get keptBytes(): number {
    return [...this.#chunks.keys()].reduce((sum, number) => sum + chunkBytes(this.bytes, number), 0)
  }

  /** Throws a `DamagedError`, and a `StoreError` for what the recorded run has not read. */
  read(offset: number, into: Uint8Array): void {
    readChunks(offset, into, (number) => {
      const stored = this.#chunks.get(number)
      if (stored !== undefined) return this.#read(number, stored)
      throw new StoreError(
        `${this.#path}: byte ${offset} of ${this.#name} was not read when it was recorded, so that the recording does not have it.`,
        this.#path,
      )
    })
  }

  /** Reads all that there is. Throws a `DamagedError`. */
  verify(): void {
    for (const [number, stored] of this.#chunks) this.#read(number, stored)
  }

  #read(number: number, stored: StoredChunk): Uint8Array {
    const bytes = readChunk(this.#path, stored, chunkBytes(this.bytes, number))
    const kept = stored.bytes === 0 ? bytes.subarray(0, 0) : bytes
    if (checksumOf(number, kept) === stored.checksum) return bytes
    throw new DamagedError(this.#path, `chunk ${number} of ${this.#name}`, 'its checksum does not match')
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
      const isWhole = at + HEAD_BYTES <= fileBytes && fs.readSync(file, head, 0, HEAD_BYTES, at) === HEAD_BYTES
      const [number, bytes, checksum] = [0, 4, 8].map((place) => head.readUInt32LE(place)) as [number, number, number]
      if (!isWhole || at + HEAD_BYTES + bytes > fileBytes) {
        if (isCut) return
        throw fail('its last chunk is not whole, or a size is wrong')
      }
      if (number * CHUNK_BYTES >= imageBytes || (bytes !== 0 && bytes !== chunkBytes(imageBytes, number))) {
        throw fail(`it has a chunk ${number} of ${bytes} bytes, and the image has none such`)
      }
      if (chunks.has(number)) throw fail(`it has chunk ${number} twice`)
      chunks.set(number, { at: at + HEAD_BYTES, bytes, checksum })
      at += HEAD_BYTES + bytes
    }
  })
  return chunks
}

function chunkBytes(imageBytes: number, number: number): number {
  return Math.min(CHUNK_BYTES, imageBytes - number * CHUNK_BYTES)
}

/** Fills `into` with the bytes from `offset` on, out of whole chunks. */
function readChunks(offset: number, into: Uint8Array, chunk: (number: number) => Uint8Array): void {
  for (let done = 0; done < into.length; ) {
    const number = Math.floor((offset + done) / CHUNK_BYTES)
    const from = offset + done - number * CHUNK_BYTES
    const part = chunk(number).subarray(from, from + into.length - done)
    into.set(part, done)
    done += part.length
  }
}

function readChunk(path: string, { at, bytes }: StoredChunk, length: number): Uint8Array {
  const chunk = Buffer.alloc(length)
  if (bytes > 0) withFile(path, (file) => fs.readSync(file, chunk, 0, bytes, at))
  return chunk
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

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0
}

function checksumOf(number: number, bytes: Uint8Array): number {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(number, 0)
  head.writeUInt32LE(bytes.length, 4)
  return crc32(bytes, crc32(head))
}
