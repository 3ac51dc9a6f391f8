/**
 * The store's way to the disk, the only one for what it writes. Tests put failing functions in its place.
 */
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { WriteError } from './errors.ts'

/** The file functions that write: what they did survives this process once they return, or once their promise is kept. */
export interface StoreFiles {
  makeDirectory(path: string): void
  /** Opens a new file for writing; fails if there is one. */
  create(path: string): number
  /** Opens a file to be written from the start, whatever was there. */
  replace(path: string): number
  /** Bytes written: fewer than given where the disk is nearly full. */
  write(file: number, bytes: Uint8Array): number
  /** The same on another thread. The bytes must stay as they are until then. */
  writeAside(file: number, bytes: Uint8Array): Promise<number>
  sync(file: number): void
  close(file: number): void
  rename(from: string, to: string): void
  remove(path: string): void
}

const writeAside = promisify(fs.write<Uint8Array>)

export const hostFiles: StoreFiles = {
  makeDirectory: (path) => fs.mkdirSync(path, { recursive: true }),
  create: (path) => fs.openSync(path, 'wx'),
  replace: (path) => fs.openSync(path, 'w'),
  write: (file, bytes) => fs.writeSync(file, bytes),
  writeAside: async (file, bytes) => (await writeAside(file, bytes, 0, bytes.length, null)).bytesWritten,
  sync: (file) => fs.fsyncSync(file),
  close: (file) => fs.closeSync(file),
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.rmSync(path, { force: true }),
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. Free some space, or record to another disk',
  EDQUOT: 'the disk quota is used up. Free some space, or record to another disk',
  EFBIG: 'the file is larger than this process may write. Raise the limit (ulimit -f), or record to another disk',
  EROFS: 'the disk is read-only. Record to another place',
  EACCES: 'permission is denied. Change the permissions, or record to another place',
  ENOTDIR: 'a part of the path is not a directory. Record to another place',
}

/** The error code of a failed file function, `''` when it is none. */
export function errorCode(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : ''
}

/** `cause` as the error that a user sees. */
export function writeError(path: string, cause: unknown): WriteError {
  if (cause instanceof WriteError) return cause
  const advice =
    ADVICE[errorCode(cause)] ?? `${cause instanceof Error ? cause.message : String(cause)}. Record to another place`
  return new WriteError(`${path}: cannot write: ${advice}; what was flushed before stays readable.`, path, cause)
}

function assertProgress(step: number): void {
  if (step === 0) throw Object.assign(new Error('no bytes were written'), { code: 'ENOSPC' })
}

/** Writes all of `bytes`. Throws a `WriteError` that names `path`. */
export function writeAll(files: StoreFiles, file: number, bytes: Uint8Array, path: string): void {
  try {
    let written = 0
    while (written < bytes.length) {
      const step = files.write(file, bytes.subarray(written))
      assertProgress(step)
      written += step
    }
  } catch (cause) {
    throw writeError(path, cause)
  }
}

/** Makes the names in a directory survive the host's death. */
export function syncDirectory(files: StoreFiles, directory: string): void {
  const file = fs.openSync(directory, 'r')
  try {
    files.sync(file)
  } finally {
    files.close(file)
  }
}

/**
 * Writes a file so that at every moment there is the old one, or none, or the whole new one at `path`. With `fsync` also
 * after a power failure. Throws a `WriteError`.
 */
export function writeWhole(files: StoreFiles, path: string, bytes: Uint8Array, fsync: boolean): void {
  try {
    const file = files.replace(temporaryPath(path))
    try {
      writeAll(files, file, bytes, path)
      if (fsync) files.sync(file)
    } finally {
      files.close(file)
    }
    putInPlace(files, path, fsync)
  } catch (cause) {
    throw writeError(path, cause)
  }
}

/** The same, of parts end to end, with the bytes written on another thread; they must stay as they are until then. */
export async function writeWholeAside(
  files: StoreFiles,
  path: string,
  parts: readonly Uint8Array[],
  fsync: boolean,
): Promise<void> {
  try {
    const file = files.replace(temporaryPath(path))
    try {
      for (const bytes of parts) {
        let written = 0
        while (written < bytes.length) {
          const step = await files.writeAside(file, bytes.subarray(written))
          assertProgress(step)
          written += step
        }
      }
      if (fsync) files.sync(file)
    } finally {
      files.close(file)
    }
    putInPlace(files, path, fsync)
  } catch (cause) {
    throw writeError(path, cause)
  }
}

/** Makes room where a file could not be written whole. */
export function removeWhole(files: StoreFiles, path: string): void {
  try {
    files.remove(temporaryPath(path))
  } catch {
    // It is never read.
  }
}

const temporaryPath = (path: string): string => `${path}.tmp`

function putInPlace(files: StoreFiles, path: string, fsync: boolean): void {
  files.rename(temporaryPath(path), path)
  if (fsync) syncDirectory(files, dirname(path))
}
