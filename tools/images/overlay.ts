/**
 * Where this host keeps what guests write to their disks: in memory, and what is more than that in a file without a name.
 */
import * as fs from 'node:fs'
import * as os from 'node:os'
import { join } from 'node:path'
import type { Overlay, SpillFile } from '../../bus/mod.ts'
import { UserError } from '../errors.ts'

/** Of a machine: a replay in parts has several. */
const MEMORY_SHARE = 1 / 16
const MOST_MEMORY_BYTES = 2 ** 31

/** A file in `directory` that goes when the process does, whatever ends it. */
class UnnamedFile implements SpillFile {
  readonly #path: string
  readonly #file: number
  readonly #what: string

  constructor(directory: string, storage: string) {
    this.#what = `what the guest wrote to ${storage}`
    this.#path = join(directory, `ananke-${process.pid}-${storage}`)
    try {
      const folder = fs.mkdtempSync(`${this.#path}-`)
      try {
        this.#path = join(folder, 'blocks')
        this.#file = fs.openSync(this.#path, 'wx+', 0o600)
      } finally {
        fs.rmSync(folder, { recursive: true })
      }
    } catch (cause) {
      throw this.#failed('make a file for', cause)
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        const some = fs.writeSync(this.#file, bytes, done, bytes.length - done, offset + done)
        if (some === 0) throw Object.assign(new Error('no bytes were written'), { code: 'ENOSPC' })
        done += some
      }
    } catch (cause) {
      throw this.#failed('write', cause)
    }
  }

  read(offset: number, into: Uint8Array): void {
    try {
      for (let done = 0; done < into.length; ) {
        const some = fs.readSync(this.#file, into, done, into.length - done, offset + done)
        if (some === 0) throw new Error('the file ends too early')
        done += some
      }
    } catch (cause) {
      throw this.#failed('read', cause)
    }
  }

  #failed(verb: string, cause: unknown): UserError {
    const { code, message } = cause as NodeJS.ErrnoException
    const what = code === 'ENOSPC' ? 'the disk is full' : message
    const advice = 'Free some space, or name a directory with more of it in TMPDIR'
    return new UserError(`${this.#path}: cannot ${verb} ${this.#what}: ${what}. ${advice}.`, { cause })
  }
}

/** Absent: as much memory as this host can spare, and its directory for temporary files. */
export function hostOverlay(
  memoryBytes = Math.min(MOST_MEMORY_BYTES, os.totalmem() * MEMORY_SHARE),
  directory = os.tmpdir(),
): Overlay {
  return { memoryBytes, openFile: (storage) => new UnnamedFile(directory, storage) }
}
