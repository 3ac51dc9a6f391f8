/**
 * What can go wrong with a recording. Each message says what is wrong, where, and what to do about it.
 */

/** The parent of all errors of this folder. `path` is the file or directory that it is about. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError'
  readonly path: string

  constructor(message: string, path: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.path = path
  }
}

/** The path does not hold a recording, or there is nothing there. */
export class NotARecordingError extends StoreError {
  override readonly name = 'NotARecordingError'
}

/** A recording made by a later Ananke whose layout this one does not know. */
export class NewerFormatError extends StoreError {
  override readonly name = 'NewerFormatError'
}

/** Bytes are not what was written: a flipped bit, a lost file, a cut in the middle. `part` names the piece of the file. */
export class DamagedError extends StoreError {
  override readonly name = 'DamagedError'
  readonly part: string

  constructor(path: string, part: string, what: string, cause?: unknown) {
    super(`${path}: ${part}: ${what}. Restore this file from a copy, or record again.`, path, cause)
    this.part = part
  }
}

/** There is something already where a new recording was to go. */
export class RecordingExistsError extends StoreError {
  override readonly name = 'RecordingExistsError'
}

/** The host could not take what was to be written. What was flushed before stays readable. */
export class WriteError extends StoreError {
  override readonly name = 'WriteError'
}
