/**
 * Images of drives as people have them: files with the bytes of a disk, one after the other.
 *
 * An image is only read. What a guest writes is kept beside it and ends with the run, or is its recording's.
 */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import type { Storage } from '../../bus/mod.ts'
import { ImageError, UsageError } from '../errors.ts'

const SECTOR_BYTES = { disk: 512, cdrom: 2048 } as const
type Media = keyof typeof SECTOR_BYTES
/** Two channels of two drives. */
const MOST_DRIVES = 4
/** How a drive is named. */
const FORM = 'FILE[,media=disk|cdrom][,readonly]'
/** Of a file that is hashed. */
const PIECE_BYTES = 4 * 2 ** 20

/** A drive that is to be connected. */
export interface Drive {
  path: string
  /** What the board is told of it. */
  option: DriveOption
  image: DriveFile
  /** Of the image, where it is known already. */
  sha256?: string
}

export type DriveOption = { media: Media; channel: number; device: number; bytes: number; isReadOnly?: boolean }

/** An image on the host's disk. */
export class DriveFile {
  readonly path: string
  readonly bytes: number
  readonly #file: number

  /** @throws ImageError if there is no such file, it cannot be read, or it cannot be a disk. */
  constructor(path: string, sectorBytes: number) {
    this.path = path
    try {
      this.#file = fs.openSync(path, 'r')
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code
      throw new ImageError(
        `${path}: ${code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`}; name a drive's image with --drive`,
        { cause },
      )
    }
    const stat = fs.fstatSync(this.#file)
    this.bytes = stat.size
    const fault = faultOf(stat, sectorBytes)
    if (fault === undefined) return
    fs.closeSync(this.#file)
    throw new ImageError(`${path}: ${fault}`)
  }

  /** @throws ImageError if it cannot be read any more, or was cut. */
  read(offset: number, into: Uint8Array): void {
    const { length } = into
    let read = 0
    try {
      while (read < length) {
        const some = fs.readSync(this.#file, into, read, length - read, offset + read)
        if (some === 0) break
        read += some
      }
    } catch (cause) {
      throw new ImageError(`${this.path}: cannot read ${length} bytes at ${offset}: ${(cause as Error).message}`, {
        cause,
      })
    }
    if (read < length)
      throw new ImageError(`${this.path}: it was cut while it was used: ${offset + read} bytes are left`)
  }

  close(): void {
    fs.closeSync(this.#file)
  }

  /** SHA-256 of all of it, in hexadecimal. @throws ImageError */
  async sha256(report: (fraction: number) => void): Promise<string> {
    const hash = createHash('sha256')
    const buffer = Buffer.alloc(Math.min(PIECE_BYTES, this.bytes))
    for (let at = 0; at < this.bytes; at += PIECE_BYTES) {
      const piece = buffer.subarray(0, this.bytes - at)
      this.read(at, piece)
      hash.update(piece)
      report(at / this.bytes)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return hash.digest('hex')
  }
}

/** Writes into an open file what was written over the image that it has. */
export function writeBlocks(file: number, storage: Storage): void {
  for (const [offset, bytes] of storage.blocks()) writeAt(file, bytes, offset)
}

/** All of them, or it throws. */
export function writeAt(file: number, bytes: Uint8Array, offset: number): void {
  for (let written = 0; written < bytes.length; ) {
    const some = fs.writeSync(file, bytes, written, bytes.length - written, offset + written)
    if (some === 0) throw new Error('the disk is full')
    written += some
  }
}

function faultOf(stat: fs.Stats, sectorBytes: number): string | undefined {
  if (stat.isDirectory()) return 'is a directory; a drive needs the image of a disk'
  if (!stat.isFile()) return 'is no file; copy the disk into one first'
  if (stat.size === 0) return 'the file is empty; make it as large as the disk, as with truncate -s 1G'
  if (stat.size % sectorBytes !== 0) {
    return `its size, ${stat.size}, is no multiple of ${sectorBytes}; a drive has whole sectors: the file was cut, or is no raw image`
  }
  return undefined
}

/**
 * `--drive` number `index`: FILE[,media=disk|cdrom][,readonly]. A comma in the file's name is written twice. Drives are connected in
 * order: master and slave of the primary channel, then of the secondary.
 * @throws UsageError, ImageError
 */
export function openDrive(words: string, index: number): Drive {
  if (index >= MOST_DRIVES)
    throw new UsageError(`there is no place for drive '${words}': a machine has at most ${MOST_DRIVES}`)
  const [path = '', ...settings] = words.split(/(?<!,),(?!,)/).map((word) => word.replaceAll(',,', ','))
  if (path === '') throw new UsageError(`'${words}' names no file for --drive; write it as ${FORM}`)
  let media: Media = 'disk'
  let isReadOnly = false
  for (const setting of settings) {
    if (setting === 'readonly') isReadOnly = true
    else if (setting === 'media=disk' || setting === 'media=cdrom') media = setting === 'media=disk' ? 'disk' : 'cdrom'
    else throw new UsageError(`'${setting}' says nothing of a drive; write it as ${FORM} (--drive ${words})`)
  }
  const image = new DriveFile(path, SECTOR_BYTES[media])
  const place = { ...placeOf(index), bytes: image.bytes }
  return { path, option: media === 'disk' ? { media, ...place, isReadOnly } : { media, ...place }, image }
}

/** A disk that may be written, of this size, as drive number `index`. */
export function diskOption(index: number, bytes: number): DriveOption {
  return { media: 'disk', ...placeOf(index), bytes, isReadOnly: false }
}

function placeOf(index: number): { channel: number; device: number } {
  return { channel: index >> 1, device: index & 1 }
}
