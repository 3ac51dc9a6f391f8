/**
 * The files that servers of the hermetic network give out: a directory of the host, read only.
 *
 * Names are strings of one character a byte, so that any name of a file can be asked for. Nothing outside the directory is given,
 * whatever `..` and links say.
 */
import * as fs from 'node:fs'
import { join } from 'node:path'

/** What a name leads to. A file is the asker's to close. */
export type Found =
  | { kind: 'file'; file: ServedFile }
  | { kind: 'directory'; list(): DirectoryEntry[] }
  | { kind: 'missing' }
  | { kind: 'forbidden' }

export interface DirectoryEntry {
  name: string
  isDirectory: boolean
}

export interface ServedFile {
  readonly bytes: number
  /** When it was last changed, in whole seconds since 1970. */
  readonly modifiedSeconds: number
  /** `length` bytes at `offset`, which lie in the file; undefined: it is not what it was when it was opened. */
  read(offset: number, length: number): Buffer | undefined
  close(): void
}

export interface ServedFiles {
  /** @param names the directories that lead to it and its own, from `pathNames` */
  find(names: readonly string[]): Found
}

/** The names in a path; undefined for one that leads elsewhere. */
export function pathNames(path: string): string[] | undefined {
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  return names.some((name) => name === '..' || name.includes('\0')) ? undefined : names
}

const MISSING_CODES = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])

export class HostDirectory implements ServedFiles {
  readonly #root: string

  /** @param path a directory that is there */
  constructor(path: string) {
    this.#root = fs.realpathSync.native(path, 'latin1')
  }

  find(names: readonly string[]): Found {
    try {
      const path = fs.realpathSync.native(hostPath(join(this.#root, ...names)), 'latin1')
      const isInside = path === this.#root || path.startsWith(join(this.#root, '/'))
      if (!isInside) return { kind: 'forbidden' }
      const stat = fs.statSync(hostPath(path))
      if (stat.isDirectory()) return { kind: 'directory', list: () => listOf(path) }
      return stat.isFile() ? opened(path) : { kind: 'forbidden' }
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? ''
      return { kind: MISSING_CODES.has(code) ? 'missing' : 'forbidden' }
    }
  }
}

function hostPath(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

/** Those in it that may be served, by the bytes of their names; none if it may not be read. */
function listOf(path: string): DirectoryEntry[] {
  try {
    return fs
      .readdirSync(hostPath(path), { encoding: 'buffer', withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.isFile() || entry.isSymbolicLink())
      .map((entry) => ({ name: entry.name.toString('latin1'), isDirectory: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch {
    return []
  }
}

function opened(path: string): Found {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  const file = new HostFile(fs.openSync(hostPath(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  if (file.isRegular) return { kind: 'file', file }
  file.close()
  return { kind: 'forbidden' }
}

class HostFile implements ServedFile {
  readonly bytes: number
  readonly modifiedSeconds: number
  readonly isRegular: boolean
  readonly #modifiedMs: number
  readonly #file: number

  constructor(file: number) {
    this.#file = file
    const stat = fs.fstatSync(file)
    this.bytes = stat.size
    this.#modifiedMs = stat.mtimeMs
    this.modifiedSeconds = Math.floor(stat.mtimeMs / 1000)
    this.isRegular = stat.isFile()
  }

  read(offset: number, length: number): Buffer | undefined {
    const bytes = Buffer.allocUnsafeSlow(length)
    try {
      const { size, mtimeMs } = fs.fstatSync(this.#file)
      if (size !== this.bytes || mtimeMs !== this.#modifiedMs) return undefined
      for (let read = 0; read < length; ) {
        const some = fs.readSync(this.#file, bytes, read, length - read, offset + read)
        if (some === 0) return undefined
        read += some
      }
      return bytes
    } catch {
      return undefined
    }
  }

  close(): void {
    fs.closeSync(this.#file)
  }
}
