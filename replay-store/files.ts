/**
 * The store's way to the disk, the only one for what it writes. Tests put failing functions in its place.
 */
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { WriteError } from './errors.ts'

/** The file functions that write. All are synchronous: what they did survives this process once they return. */
export interface StoreFiles {
  makeDirectory(path: string): void
  /** Opens a new file for writing; fails if there is one. */
  create(path: string): number
  /** Opens a file to be written from the start, whatever was there. */
  replace(path: string): number
  /** Bytes written: fewer than given where the disk is nearly full. */
  write(file: number, bytes: Uint8Array): number
  sync(file: number): void
  close(file: number): void
  rename(from: string, to: string): void
  remove(path: string): void
}

export const hostFiles: StoreFiles = {
  makeDirectory: (path) => fs.mkdirSync(path, { recursive: true }),
  create: (path) => fs.openSync(path, 'wx'),
  replace: (path) => fs.openSync(path, 'w'),
  write: (file, bytes) => fs.writeSync(file, bytes),
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

/** Writes all of `bytes`. Throws a `WriteError` that names `path`. */
export function writeAll(files: StoreFiles, file: number, bytes: Uint8Array, path: string): void {
  try {
    let written = 0
    while (written < bytes.length) {
      const step = files.write(file, bytes.subarray(written))
      if (step === 0) throw Object.assign(new Error('no bytes were written'), { code: 'ENOSPC' })
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
 * after a power failure.
 */
export function writeWhole(files: StoreFiles, path: string, bytes: Uint8Array, fsync: boolean): void {
  const temporary = `${path}.tmp`
  try {
    const file = files.replace(temporary)
    try {
      writeAll(files, file, bytes, path)
      if (fsync) files.sync(file)
    } finally {
      files.close(file)
    }
    files.rename(temporary, path)
    if (fsync) syncDirectory(files, dirname(path))
  } catch (cause) {
    throw writeError(path, cause)
  }
}
