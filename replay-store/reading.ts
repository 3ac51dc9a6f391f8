/**
 * The store's way from the disk: files of a recording, and what becomes of one that is missing or cannot be read.
 */
import * as fs from 'node:fs'
import { promisify } from 'node:util'
import { DamagedError, StoreError } from './errors.ts'
import { errorCode } from './files.ts'

const readAside = promisify(fs.read<Uint8Array>)

export function readError(path: string, cause: unknown): StoreError {
  const what = cause instanceof Error ? cause.message : String(cause)
  return new StoreError(`${path}: cannot read: ${what}. Check its permissions and the disk.`, path, cause)
}

/** Reads a file; damage where it is missing, for it is a part of the recording. */
export function readPart(path: string, part: string): Buffer {
  try {
    return fs.readFileSync(path)
  } catch (cause) {
    throw partError(path, part, cause)
  }
}

/** The same, on another thread, in one piece. */
export async function readPartAside(path: string, part: string): Promise<Buffer<ArrayBuffer>> {
  try {
    // Opened here, so that it is being read when this returns, however long its caller is busy then.
    const file = fs.openSync(path, 'r')
    try {
      const bytes = Buffer.allocUnsafeSlow(fs.fstatSync(file).size)
      let length = 0
      while (length < bytes.length) {
        const { bytesRead } = await readAside(file, bytes, length, bytes.length - length, null)
        if (bytesRead === 0) break
        length += bytesRead
      }
      return bytes.subarray(0, length)
    } finally {
      fs.closeSync(file)
    }
  } catch (cause) {
    throw partError(path, part, cause)
  }
}

function partError(path: string, part: string, cause: unknown): StoreError {
  if (errorCode(cause) === 'ENOENT') return new DamagedError(path, part, 'the file is missing', cause)
  return readError(path, cause)
}

/** The first bytes of such a file, `limit` at most, and the size of the whole. */
export function readStart(path: string, part: string, limit: number): { start: Buffer; fileBytes: number } {
  try {
    const file = fs.openSync(path, 'r')
    try {
      const fileBytes = fs.fstatSync(file).size
      const start = Buffer.alloc(Math.min(fileBytes, limit))
      return { start: start.subarray(0, fs.readSync(file, start, 0, start.length, 0)), fileBytes }
    } finally {
      fs.closeSync(file)
    }
  } catch (cause) {
    throw partError(path, part, cause)
  }
}
