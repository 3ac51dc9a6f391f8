/**
 * Mistakes of the person at the command line. Each message is one line: what was wrong, where, and what to do.
 */

/** Something outside the program stops the run: a file, the host, a guest image. The program leaves with status 1. */
export class UserError extends Error {
  override readonly name: string = 'UserError'
  readonly exitStatus: number = 1
}

/** The command line itself is wrong, whatever the host holds. The program leaves with status 2. */
export class UsageError extends UserError {
  override readonly name = 'UsageError'
  override readonly exitStatus = 2
}

/** A kernel or initrd that cannot be booted. */
export class ImageError extends UserError {
  override readonly name = 'ImageError'
}

/** A guest that could not be fetched, or whose cached images cannot be used. */
export class GuestError extends UserError {
  override readonly name = 'GuestError'
}
