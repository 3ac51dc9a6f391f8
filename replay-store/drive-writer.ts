/**
 * The image of a drive while it is recorded: what is read of it once is kept, and read from there ever after.
 *
 * A chunk is in the drive's file before an entry that is appended later is in the journal's. Who keeps the journal on this thread
 * has it written here; who has a thread for it lets that thread pack and write chunks too, in the order in which both come.
 */
import type { StorageImage } from '../bus/mod.ts'
import {
  beginChunkFile,
  CHUNK_BYTES,
  ChunkFile,
  ChunkReader,
  chunkBytes,
  readChunks,
  type StoredChunk,
} from './drive.ts'
import { type StoreFiles, writeError } from './files.ts'

/** Takes the chunks of one drive. */
export interface ChunkKeeper {
  /** Memory for a chunk, to be filled and given to `keep`. */
  room(): Uint8Array
  /** It is in the file before a later entry of the journal is. Throws a `WriteError`; a thread's failure is told by its journal. */
  keep(number: number, chunk: Uint8Array): void
  /** What is kept as this chunk, while that is in memory. Must not be changed. */
  recent(number: number): Uint8Array | undefined
  /** Where it is in the file, if it was kept and is not `recent`. */
  stored(number: number): StoredChunk | undefined
  /** What was kept survives the host's death; for a thread, which does that itself, nothing. */
  sync(): void
}

export class DriveWriter implements StorageImage {
  readonly bytes: number
  readonly #image: StorageImage
  readonly #files: StoreFiles
  readonly #file: number
  readonly #keeper: ChunkKeeper
  readonly #reader: ChunkReader

  /**
   * @param path where nothing is yet
   * @param keeperOf absent: it is written here. Throws a `WriteError`
   */
  constructor(
    path: string,
    name: string,
    image: StorageImage,
    files: StoreFiles,
    keeperOf: (file: number, path: string) => ChunkKeeper = (file) =>
      new DirectKeeper(new ChunkFile(path, file, files)),
  ) {
    this.bytes = image.bytes
    this.#image = image
    this.#files = files
    try {
      this.#file = beginChunkFile(path, files)
    } catch (cause) {
      throw writeError(path, cause)
    }
    this.#keeper = keeperOf(this.#file, path)
    this.#reader = new ChunkReader(path, name)
  }

  /** Throws a `WriteError`, what the image throws, and what `RecordedDrive` throws for its own file. */
  read(offset: number, into: Uint8Array): void {
    readChunks(offset, into, (number) => {
      const recent = this.#keeper.recent(number)
      if (recent !== undefined) return recent
      const stored = this.#keeper.stored(number)
      if (stored !== undefined) return this.#reader.read(number, stored, chunkBytes(this.bytes, number))
      const chunk = this.#keeper.room().subarray(0, chunkBytes(this.bytes, number))
      this.#image.read(number * CHUNK_BYTES, chunk)
      this.#keeper.keep(number, chunk)
      return chunk
    })
  }

  sync(): void {
    this.#keeper.sync()
  }

  /** When nothing is written to its file any more. */
  close(): void {
    this.#reader.close()
    this.#files.close(this.#file)
  }
}

/** Writes them at once. */
class DirectKeeper implements ChunkKeeper {
  readonly #file: ChunkFile
  readonly #stored = new Map<number, StoredChunk>()
  readonly #room = new Uint8Array(CHUNK_BYTES)

  constructor(file: ChunkFile) {
    this.#file = file
  }

  room(): Uint8Array {
    return this.#room
  }

  keep(number: number, chunk: Uint8Array): void {
    this.#stored.set(number, this.#file.append(number, chunk))
  }

  recent(): undefined {
    return undefined
  }

  stored(number: number): StoredChunk | undefined {
    return this.#stored.get(number)
  }

  sync(): void {
    this.#file.sync()
  }
}
